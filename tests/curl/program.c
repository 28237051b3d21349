/* Ways in which programs drive libcurl. It knows nothing of Langfuse: tests/curl/run.py builds and runs it without, and in each
 * packaging with, and compares what it prints.
 *
 * program URL CASE...: each case sends its requests below URL/CASE/, and prints what the program received, byte for byte.
 */
#include <curl/curl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHAT "v1/chat/completions"
static const char question[] = "{\"model\":\"small\",\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}]}";
static const char streamed[] = "{\"model\":\"small\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"Why?\"}]}";

static const char *base;
static const char *name;

typedef struct text {
    char bytes[1 << 16];
    size_t size;
} text;

static void add(text *to, const char *bytes, size_t size)
{
    if (size > sizeof to->bytes - to->size)
        exit(3);
    memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void show(const char *what, const text *t)
{
    printf("%s %s:", name, what);
    for (size_t i = 0; i < t->size; i++) {
        unsigned char c = (unsigned char)t->bytes[i];
        if (c >= ' ' && c < 127 && c != '\\')
            putchar(c);
        else
            printf("\\%02x", c);
    }
    putchar('\n');
}

static size_t on_write(char *bytes, size_t unit, size_t count, void *to)
{
    add(to, bytes, unit * count);
    return unit * count;
}

/* A URL of this case; `kind` is what the server does. */
static const char *url_of(const char *kind, const char *path)
{
    static __thread char url[300];
    snprintf(url, sizeof url, "%s/%s/%s/%s", base, name, kind, path);
    return url;
}

static CURL *handle_to(const char *kind, text *body)
{
    CURL *handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url_of(kind, CHAT));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, question);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
    return handle;
}

static void report(CURL *handle, CURLcode code, const text *body)
{
    long status = 0;
    curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
    printf("%s: code %d status %ld\n", name, code, status);
    show("body", body);
}

static void perform(CURL *handle, text *body)
{
    report(handle, curl_easy_perform(handle), body);
    body->size = 0;
}

static void perform_once(CURL *handle, text *body)
{
    perform(handle, body);
    curl_easy_cleanup(handle);
}

/* ---- Replies ------------------------------------------------------------------------------------------------------- */

static text body, head, other;

static void plain(void)
{
    perform_once(handle_to("json", &body), &body);
}

static void stream(void)
{
    CURL *handle = handle_to("stream", &body);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, streamed);
    perform_once(handle, &body);
}

/* A handle that talks to something else. */
static void elsewhere(void)
{
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_URL, url_of("json", "api/orders"));
    perform(handle, &body);
    curl_easy_setopt(handle, CURLOPT_URL, url_of("json", CHAT));
    curl_easy_setopt(handle, CURLOPT_HTTPGET, 1L); /* no question to a model */
    perform_once(handle, &body);
}

/* A header's data without a header function: libcurl then calls the write function with it. */
static void head_data(void)
{
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &head);
    perform_once(handle, &body);
    show("head", &head);
}

static size_t on_head(char *bytes, size_t unit, size_t count, void *to)
{
    add(to, "[", 1);
    add(to, bytes, unit * count);
    add(to, "]", 1);
    return unit * count;
}

static void head_function(void)
{
    CURL *handle = handle_to("ids", &body);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &head);
    perform_once(handle, &body);
    show("head", &head);
}

/* The head is a part of the body; that of a redirect, too. */
static void head_in_body(void)
{
    CURL *handle = handle_to("stream", &body);
    curl_easy_setopt(handle, CURLOPT_HEADER, 1L);
    perform(handle, &body);
    curl_easy_setopt(handle, CURLOPT_URL, url_of("307", CHAT));
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &head);
    perform_once(handle, &body);
    show("head", &head);
}

static bool has_paused;

static size_t on_write_pausing(char *bytes, size_t unit, size_t count, void *to)
{
    has_paused = !has_paused;
    return has_paused ? CURL_WRITEFUNC_PAUSE : on_write(bytes, unit, count, to);
}

static int go_on(void *handle, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    (void)a, (void)b, (void)c, (void)d;
    if (has_paused)
        curl_easy_pause(handle, CURLPAUSE_CONT);
    return 0;
}

static void pause_writing(void)
{
    CURL *handle = handle_to("stream", &body);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write_pausing);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, go_on);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, handle);
    has_paused = false;
    perform_once(handle, &body);
}

static size_t on_write_enough(char *bytes, size_t unit, size_t count, void *to)
{
    (void)on_write(bytes, unit, count, to);
    return body.size > 150 ? 0 : unit * count;
}

static void short_return(void)
{
    CURL *handle = handle_to("endless", &body);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, streamed);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write_enough);
    CURLcode code = curl_easy_perform(handle);
    printf("%s: code %d, some %d\n", name, code, body.size > 150);
    curl_easy_cleanup(handle);
}

static size_t on_write_error(char *bytes, size_t unit, size_t count, void *to)
{
    (void)bytes, (void)unit, (void)count, (void)to;
    return 0xffffffff; /* CURL_WRITEFUNC_ERROR */
}

static void write_error(void)
{
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write_error);
    perform_once(handle, &body);
}

/* A program may change the piece that it is given. */
static size_t on_write_changing(char *bytes, size_t unit, size_t count, void *to)
{
    size_t size = on_write(bytes, unit, count, to);
    memset(bytes, 'x', size);
    return size;
}

static void changed_piece(void)
{
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write_changing);
    perform_once(handle, &body);
}

static void to_file(void)
{
    FILE *file = tmpfile();
    if (file == NULL)
        exit(3);
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, NULL);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, file);
    perform_once(handle, &body);
    rewind(file);
    other.size = fread(other.bytes, 1, sizeof other.bytes, file);
    fclose(file);
    show("file", &other);
}

static void to_stdout(void)
{
    CURL *handle = curl_easy_init();
    curl_easy_setopt(handle, CURLOPT_URL, url_of("json", CHAT));
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, question);
    fflush(stdout);
    printf("%s: ", name);
    CURLcode code = curl_easy_perform(handle);
    printf("\n%s: code %d\n", name, code);
    curl_easy_cleanup(handle);
}

/* ---- Errors -------------------------------------------------------------------------------------------------------- */

static void status_429(void)
{
    perform_once(handle_to("429", &body), &body);
}

static void fail_on_error(void)
{
    char error[CURL_ERROR_SIZE] = "";
    CURL *handle = handle_to("429", &body);
    curl_easy_setopt(handle, CURLOPT_FAILONERROR, 1L);
    curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error);
    perform_once(handle, &body);
    printf("%s: %s\n", name, error);
}

static void cut(void)
{
    CURL *handle = handle_to("cut", &body);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, streamed);
    perform_once(handle, &body);
}

static void no_server(void)
{
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_URL, "http://user:hidden@127.0.0.1:1/" CHAT "?key=hidden");
    perform_once(handle, &body);
}

static int give_up(void *unused, curl_off_t total, curl_off_t now, curl_off_t c, curl_off_t d)
{
    (void)unused, (void)total, (void)c, (void)d;
    return now > 100;
}

static void aborted(void)
{
    CURL *handle = handle_to("endless", &body);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, give_up);
    CURLcode code = curl_easy_perform(handle);
    printf("%s: code %d\n", name, code);
    curl_easy_cleanup(handle);
    body.size = 0;
}

/* ---- Requests: the server answers with the size and the sum of the body that it got ---------------------------------- */

static void int_for_long(void)
{
    CURL *handle = curl_easy_init();
    (curl_easy_setopt)(handle, CURLOPT_URL, url_of("echo", CHAT));
    (curl_easy_setopt)(handle, CURLOPT_POST, 1);
    (curl_easy_setopt)(handle, CURLOPT_POSTFIELDSIZE, (int)strlen(question));
    (curl_easy_setopt)(handle, CURLOPT_POSTFIELDS, question);
    (curl_easy_setopt)(handle, CURLOPT_WRITEFUNCTION, on_write);
    (curl_easy_setopt)(handle, CURLOPT_WRITEDATA, &body);
    perform_once(handle, &body);
}

/* The buffer is used for something else right after the call. */
static void reused_buffer(void)
{
    char *request = malloc(1000);
    if (request == NULL)
        exit(3);
    CURL *handle = handle_to("echo", &body);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request);
    for (int i = 0; i < 2; i++) {
        snprintf(request, 1000, "{\"model\":\"small\",\"prompt\":\"round %d\"}", i);
        curl_easy_setopt(handle, CURLOPT_URL, url_of("echo", "v1/completions"));
        perform(handle, &body);
        memset(request, '!', 1000);
    }
    free(request);
    curl_easy_cleanup(handle);
}

static void copied_body(void)
{
    char request[200];
    snprintf(request, sizeof request, "%s and more", question);
    CURL *handle = handle_to("echo", &body);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(question));
    curl_easy_setopt(handle, CURLOPT_COPYPOSTFIELDS, request);
    memset(request, '!', sizeof request);
    CURL *copy = curl_easy_duphandle(handle);
    perform_once(handle, &body);
    perform_once(copy, &body);
}

static void body_with_nul(void)
{
    static const char request[] = "{\"model\":\"small\",\"prompt\":\"a\0b\"}";
    CURL *handle = handle_to("echo", &body);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, (long)sizeof request - 1);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request);
    perform_once(handle, &body);
}

typedef struct source {
    const char *bytes;
    size_t size, at;
    int calls;
    bool pauses, aborts;
    CURL *handle;
} source;

static size_t on_read(char *to, size_t unit, size_t count, void *from)
{
    source *s = from;
    s->calls++;
    if (s->pauses && s->calls == 2)
        return CURL_READFUNC_PAUSE;
    if (s->aborts && s->calls == 2)
        return CURL_READFUNC_ABORT;
    size_t size = s->size - s->at < 20 ? s->size - s->at : 20;
    size = size < unit * count ? size : unit * count;
    memcpy(to, s->bytes + s->at, size);
    s->at += size;
    return size;
}

static int on_seek(void *from, curl_off_t offset, int origin)
{
    source *s = from;
    (void)origin;
    s->at = (size_t)offset;
    return CURL_SEEKFUNC_OK;
}

static int unpause(void *from, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
    source *s = from;
    (void)a, (void)b, (void)c, (void)d;
    if (s->calls == 2)
        curl_easy_pause(s->handle, CURLPAUSE_CONT);
    return 0;
}

static void read_with(const char *kind, source *s)
{
    CURL *handle = handle_to(kind, &body);
    s->handle = handle;
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(handle, CURLOPT_READDATA, s);
    curl_easy_setopt(handle, CURLOPT_SEEKFUNCTION, on_seek);
    curl_easy_setopt(handle, CURLOPT_SEEKDATA, s);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(handle, CURLOPT_NOPROGRESS, s->pauses ? 0L : 1L);
    curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, unpause);
    curl_easy_setopt(handle, CURLOPT_XFERINFODATA, s);
    perform_once(handle, &body);
}

static void read_callback(void)
{
    read_with("echo", &(source){.bytes = question, .size = sizeof question - 1});
}

static void read_pausing(void)
{
    read_with("echo", &(source){.bytes = question, .size = sizeof question - 1, .pauses = true});
}

static void read_aborting(void)
{
    read_with("echo", &(source){.bytes = question, .size = sizeof question - 1, .aborts = true});
}

static void read_redirected(void)
{
    read_with("307", &(source){.bytes = question, .size = sizeof question - 1});
}

static void send_file(const char *kind, FILE *file)
{
    CURL *handle = handle_to(kind, &body);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDS, NULL);
    curl_easy_setopt(handle, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(handle, CURLOPT_CUSTOMREQUEST, "POST");
    curl_easy_setopt(handle, CURLOPT_INFILESIZE, (long)sizeof question - 1);
    curl_easy_setopt(handle, CURLOPT_READDATA, file);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    perform_once(handle, &body);
    fclose(file);
}

static FILE *file_with_question(void)
{
    FILE *file = tmpfile();
    if (file == NULL || fwrite(question, 1, sizeof question - 1, file) == 0)
        exit(3);
    rewind(file);
    return file;
}

static void read_file(void)
{
    send_file("echo", file_with_question());
}

/* libcurl goes back to the file's begin by itself. */
static void read_file_redirected(void)
{
    send_file("307", file_with_question());
}

/* libcurl cannot go back, and says so. */
static void read_pipe_redirected(void)
{
    int ends[2];
    if (pipe(ends) != 0 || write(ends[1], question, sizeof question - 1) < 0 || close(ends[1]) != 0)
        exit(3);
    send_file("307", fdopen(ends[0], "r"));
}

static size_t on_part(char *to, size_t unit, size_t count, void *left)
{
    size_t size = *(size_t *)left < unit * count ? *(size_t *)left : unit * count;
    memset(to, 's', size);
    *(size_t *)left -= size;
    return size;
}

static void add_field(curl_mime *form, const char *key, const char *value)
{
    curl_mimepart *part = curl_mime_addpart(form);
    curl_mime_name(part, key);
    curl_mime_data(part, value, CURL_ZERO_TERMINATED);
}

static void form(void)
{
    char path[] = "/tmp/voice-XXXXXX";
    int file = mkstemp(path);
    if (file < 0 || write(file, "RIFFsound", 9) != 9)
        exit(3);
    close(file);
    CURL *handle = handle_to("form", &body);
    curl_easy_setopt(handle, CURLOPT_URL, url_of("form", "v1/audio/transcriptions"));
    curl_mime *parts = curl_mime_init(handle);
    curl_mimepart *part = curl_mime_addpart(parts);
    curl_mime_name(part, "file");
    curl_mime_filedata(part, path);
    curl_mime_filename(part, "voice.wav");
    curl_mime_type(part, "audio/wav");
    add_field(parts, "model", "whisper-1");
    add_field(parts, "language", "en");
    size_t left = 5;
    part = curl_mime_addpart(parts);
    curl_mime_name(part, "sound");
    curl_mime_filename(part, "more.wav");
    curl_mime_data_cb(part, 5, on_part, NULL, NULL, &left);
    curl_mime *inner = curl_mime_init(handle);
    add_field(inner, "deep", "inside");
    part = curl_mime_addpart(parts);
    curl_mime_name(part, "inner");
    curl_mime_subparts(part, inner);
    curl_easy_setopt(handle, CURLOPT_MIMEPOST, parts);
    CURLcode code = curl_easy_perform(handle);
    report(handle, code, &body);
    curl_easy_cleanup(handle);
    curl_mime_free(parts);
    unlink(path);
}

/* ---- Ways over the network ------------------------------------------------------------------------------------------- */

static void redirects(void)
{
    static const char *const kinds[] = {"301", "302", "303", "307", "308"};
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 1L);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        curl_easy_setopt(handle, CURLOPT_URL, url_of(kinds[i], CHAT));
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, question);
        perform(handle, &body);
    }
    perform_once(handle, &body); /* the same URL once more: it is that of the program, and no longer that of the last answer */
}

static void expect_100(void)
{
    CURL *handle = handle_to("echo", &body);
    struct curl_slist *headers = curl_slist_append(NULL, "Expect: 100-continue");
    curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &head);
    perform_once(handle, &body);
    show("head", &head);
    curl_slist_free_all(headers);
}

static void compressed(void)
{
    CURL *handle = handle_to("gzip", &body);
    perform(handle, &body); /* as it comes */
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, "");
    perform(handle, &body);
    curl_easy_setopt(handle, CURLOPT_HTTP_CONTENT_DECODING, 0L);
    perform(handle, &body);
    curl_easy_setopt(handle, CURLOPT_ACCEPT_ENCODING, NULL);
    curl_easy_setopt(handle, CURLOPT_URL, url_of("identity", CHAT));
    perform_once(handle, &body);
}

static void chunks_kept(void)
{
    CURL *handle = handle_to("stream", &body);
    curl_easy_setopt(handle, CURLOPT_HTTP_TRANSFER_DECODING, 0L);
    perform_once(handle, &body);
}

static void url_in_parts(void)
{
    CURLU *url = curl_url();
    CURL *handle = handle_to("json", &body);
    curl_url_set(url, CURLUPART_URL, url_of("json", CHAT), 0);
    curl_url_set(url, CURLUPART_QUERY, "key=hidden&api-version=7", 0);
    curl_easy_setopt(handle, CURLOPT_URL, "http://127.0.0.1:1/nothing");
    curl_easy_setopt(handle, CURLOPT_CURLU, url);
    perform_once(handle, &body);
    curl_url_cleanup(url);
}

static void versions(void)
{
    static const long asked[] = {CURL_HTTP_VERSION_1_0, CURL_HTTP_VERSION_1_1, CURL_HTTP_VERSION_2TLS};
    CURL *handle = handle_to("json", &body);
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        curl_easy_setopt(handle, CURLOPT_HTTP_VERSION, asked[i]);
        perform(handle, &body);
    }
    curl_easy_cleanup(handle);
}

/* ---- Handles --------------------------------------------------------------------------------------------------------- */

static void pointers(void)
{
    CURLcode (*set)(CURL *, CURLoption, ...) = curl_easy_setopt;
    CURLcode (*run)(CURL *) = curl_easy_perform;
    CURL *handle = curl_easy_init();
    set(handle, CURLOPT_URL, url_of("json", CHAT));
    set(handle, CURLOPT_POSTFIELDS, question);
    set(handle, CURLOPT_WRITEFUNCTION, on_write);
    set(handle, CURLOPT_WRITEDATA, &body);
    report(handle, run(handle), &body);
    curl_easy_cleanup(handle);
}

static void reset(void)
{
    char mark[] = "mine", *seen = NULL;
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_PRIVATE, mark);
    perform(handle, &body);
    curl_easy_getinfo(handle, CURLINFO_PRIVATE, &seen);
    printf("%s: private %d\n", name, seen == mark);
    curl_easy_reset(handle);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, &body);
    curl_easy_setopt(handle, CURLOPT_URL, url_of("json", CHAT)); /* a GET: nothing of the question is left */
    perform_once(handle, &body);
}

static CURL *twin;
static text twin_body;

static size_t on_write_copying(char *bytes, size_t unit, size_t count, void *handle)
{
    add(&body, bytes, unit * count);
    if (twin == NULL) {
        twin = curl_easy_duphandle(handle);
        curl_easy_setopt(twin, CURLOPT_WRITEFUNCTION, on_write);
        curl_easy_setopt(twin, CURLOPT_WRITEDATA, &twin_body);
    }
    return unit * count;
}

/* A copy that is made while the handle runs. */
static void copied_running(void)
{
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write_copying);
    curl_easy_setopt(handle, CURLOPT_WRITEDATA, handle);
    curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, on_head);
    curl_easy_setopt(handle, CURLOPT_HEADERDATA, &head);
    twin = NULL;
    perform_once(handle, &body);
    perform_once(twin, &twin_body);
    show("head", &head);
}

static void many_handles(void)
{
    for (int i = 0; i < 5; i++)
        perform_once(handle_to("json", &body), &body);
}

static size_t on_write_nesting(char *bytes, size_t unit, size_t count, void *to)
{
    if (other.size == 0) {
        CURL *inner = handle_to("stream", &other);
        printf("%s: inner %d\n", name, curl_easy_perform(inner));
        curl_easy_cleanup(inner);
    }
    return on_write(bytes, unit, count, to);
}

static void nested(void)
{
    CURL *handle = handle_to("json", &body);
    curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, on_write_nesting);
    perform_once(handle, &body);
    show("inner", &other);
}

static void *run_there(void *handle)
{
    return (void *)(uintptr_t)curl_easy_perform(handle);
}

/* Set up in one thread, performed in others. */
static void other_threads(void)
{
    enum { THREADS = 4 };
    static text bodies[THREADS];
    pthread_t threads[THREADS];
    CURL *handles[THREADS];
    for (int i = 0; i < THREADS; i++) {
        handles[i] = handle_to("stream", &bodies[i]);
        if (pthread_create(&threads[i], NULL, run_there, handles[i]) != 0)
            exit(3);
    }
    for (int i = 0; i < THREADS; i++) {
        void *code;
        pthread_join(threads[i], &code);
        report(handles[i], (CURLcode)(uintptr_t)code, &bodies[i]);
        curl_easy_cleanup(handles[i]);
    }
}

/* ---- Several at once --------------------------------------------------------------------------------------------------- */

static void drive(CURLM *multi, bool asks)
{
    int running = 1, left;
    while (running > 0) {
        curl_multi_perform(multi, &running);
        for (CURLMsg *message; asks && (message = curl_multi_info_read(multi, &left)) != NULL;) {
            text *own = NULL;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &own);
            printf("%s: done %d\n", name, message->data.result);
        }
        if (running > 0)
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
    }
}

enum { AT_ONCE = 3 };

static void multi_with(bool asks, bool removes)
{
    static text bodies[AT_ONCE];
    static const char *const kinds[AT_ONCE] = {"json", "stream", "429"};
    CURL *handles[AT_ONCE];
    CURLM *multi = curl_multi_init();
    for (int i = 0; i < AT_ONCE; i++) {
        bodies[i].size = 0;
        handles[i] = handle_to(kinds[i], &bodies[i]);
        curl_easy_setopt(handles[i], CURLOPT_PRIVATE, &bodies[i]);
        curl_multi_add_handle(multi, handles[i]);
    }
    drive(multi, asks);
    for (int i = 0; i < AT_ONCE; i++) {
        if (removes)
            curl_multi_remove_handle(multi, handles[i]);
        show("body", &bodies[i]);
        if (removes)
            curl_easy_cleanup(handles[i]);
    }
    curl_multi_cleanup(multi);
    for (int i = 0; i < AT_ONCE && !removes; i++)
        curl_easy_cleanup(handles[i]);
}

static void multi(void)
{
    multi_with(true, true);
}

static void multi_never_asks(void)
{
    multi_with(false, true);
}

static void multi_cleaned_first(void)
{
    multi_with(false, false);
}

/* Taken out, or cleaned up, in the middle of the stream. */
static void multi_given_up(void)
{
    CURLM *multi = curl_multi_init();
    for (int i = 0; i < 2; i++) {
        CURL *handle = handle_to("endless", &body);
        int running = 1;
        curl_easy_setopt(handle, CURLOPT_POSTFIELDS, streamed);
        curl_multi_add_handle(multi, handle);
        while (running > 0 && body.size < 150) {
            curl_multi_perform(multi, &running);
            curl_multi_poll(multi, NULL, 0, 1000, NULL);
        }
        printf("%s: some %d\n", name, body.size >= 150);
        if (i == 0)
            curl_multi_remove_handle(multi, handle);
        curl_easy_cleanup(handle);
        body.size = 0;
    }
    curl_multi_cleanup(multi);
}

static void *drive_there(void *multi)
{
    drive(multi, true);
    return NULL;
}

static void multi_in_a_thread(void)
{
    pthread_t thread;
    CURLM *multi = curl_multi_init();
    CURL *handle = handle_to("stream", &body);
    curl_multi_add_handle(multi, handle);
    if (pthread_create(&thread, NULL, drive_there, multi) != 0)
        exit(3);
    pthread_join(thread, NULL);
    curl_multi_remove_handle(multi, handle);
    show("body", &body);
    curl_easy_cleanup(handle);
    curl_multi_cleanup(multi);
}

/* ------------------------------------------------------------------------------------------------------------------------ */

#define CASE(function) {#function, function}
static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    CASE(plain),
    CASE(stream),
    CASE(elsewhere),
    CASE(head_data),
    CASE(head_function),
    CASE(head_in_body),
    CASE(pause_writing),
    CASE(short_return),
    CASE(write_error),
    CASE(changed_piece),
    CASE(to_file),
    CASE(to_stdout),
    CASE(status_429),
    CASE(fail_on_error),
    CASE(cut),
    CASE(no_server),
    CASE(aborted),
    CASE(int_for_long),
    CASE(reused_buffer),
    CASE(copied_body),
    CASE(body_with_nul),
    CASE(read_callback),
    CASE(read_pausing),
    CASE(read_aborting),
    CASE(read_redirected),
    CASE(read_file),
    CASE(read_file_redirected),
    CASE(read_pipe_redirected),
    CASE(form),
    CASE(redirects),
    CASE(expect_100),
    CASE(compressed),
    CASE(chunks_kept),
    CASE(url_in_parts),
    CASE(versions),
    CASE(pointers),
    CASE(reset),
    CASE(copied_running),
    CASE(many_handles),
    CASE(nested),
    CASE(other_threads),
    CASE(multi),
    CASE(multi_never_asks),
    CASE(multi_cleaned_first),
    CASE(multi_given_up),
    CASE(multi_in_a_thread),
};

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    base = argv[1];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        name = cases[i].name;
        bool chosen = argc == 2;
        for (int j = 2; j < argc; j++)
            chosen = chosen || strcmp(argv[j], name) == 0;
        body.size = head.size = other.size = twin_body.size = 0;
        if (chosen)
            cases[i].run();
        fflush(stdout);
    }
    curl_global_cleanup();
    return 0;
}
