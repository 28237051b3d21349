/* Answers a question from text files, traced from end to end:
 *
 *     ask [-n PASSAGES] [-t THREADS] QUESTION [FILE-or-DIRECTORY...]        (without files: README.md and docs here)
 *
 * The files are split into passages, threads search them (BM25), and the answer is put together from the best sentences; or,
 * with OPENAI_BASE_URL (and OPENAI_API_KEY, OPENAI_MODEL), by a chat model. Exit status: 0 answered, 1 nothing found,
 * 2 wrong usage or no memory. Only the OBSERVE and lf_ lines know of Langfuse.
 */
#define _GNU_SOURCE /* asprintf */
#include "langfuse/openai.h"
#include "observe.h"

#include <ctype.h>
#include <errno.h>
#include <fts.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { ANSWERED = 0, NOT_FOUND = 1, TROUBLE = 2 };
enum { MAX_FILES = 1000, MAX_FILE_BYTES = 1 << 20, MAX_PASSAGES = 50000, MAX_TERMS = 16, MAX_HITS = 20, MAX_THREADS = 16 };
enum { MAX_SENTENCES = 3, MAX_SENTENCE_BYTES = 400, MAX_PROMPT_BYTES = 1000 /* of a passage */ };

/* A piece of a text that somebody else owns. */
typedef struct piece {
    const char *text;
    size_t size;
} piece;

typedef struct document {
    char *path, *text;
    size_t size;
} document;

typedef struct passage {
    const document *document;
    piece piece;
    int line, words;
    uint16_t counts[MAX_TERMS]; /* how often each term of the question stands here */
    double score;
} passage;

typedef struct corpus {
    document documents[MAX_FILES];
    passage passages[MAX_PASSAGES]; /* these borrow from the documents */
    size_t document_count, passage_count;
} corpus;

/* The words of the question that are worth looking for; they borrow from it. */
typedef struct query {
    piece terms[MAX_TERMS];
    double weights[MAX_TERMS]; /* the rarer a term, the more it tells */
    int count;
} query;

typedef struct hits {
    const passage *best[MAX_HITS];
    int count;
} hits;

typedef struct options {
    const char *question;
    char **paths; /* NULL-terminated */
    int passages, threads;
    bool has_model;
} options;

/* ---- Words --------------------------------------------------------------------------------------------------------- */

static bool in_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || (c & 0x80);
}

/* The next word, without the s of a plural, is cut off the rest's front. False when there is none. */
static bool next_word(piece *rest, piece *out)
{
    const char *at = rest->text, *const end = at + rest->size;
    while (at < end && !in_word(*at))
        at++;
    *out = (piece){at, 0};
    while (at < end && in_word(*at))
        at++;
    *rest = (piece){at, (size_t)(end - at)};
    out->size = (size_t)(at - out->text);
    if (out->size > 3 && tolower((unsigned char)at[-1]) == 's' && tolower((unsigned char)at[-2]) != 's')
        out->size--;
    return out->size > 0;
}

static int find_term(const query *q, piece word)
{
    for (int i = 0; i < q->count; i++)
        if (q->terms[i].size == word.size && strncasecmp(q->terms[i].text, word.text, word.size) == 0)
            return i;
    return -1;
}

static query query_of(const char *question)
{
    static const char common[] = " a an and are as at be by can do doe for from happen has have how i if in is it my not of on "
                                 "or that the thi to was what when where which who why will with you ";
    query q = {0};
    piece rest = {question, strlen(question)}, word;
    while (q.count < MAX_TERMS && next_word(&rest, &word)) {
        char spaced[16];
        snprintf(spaced, sizeof spaced, " %.*s ", (int)word.size, word.text);
        if (!strcasestr(common, spaced) && find_term(&q, word) < 0)
            q.terms[q.count++] = word;
    }
    return q;
}

/* ---- Files --------------------------------------------------------------------------------------------------------- */

/* The bytes of a file, for free(); NULL after saying why. */
static char *read_file(const char *path, size_t *out_size)
{
    OBSERVE_TOOL(path);
    FILE *file = fopen(path, "rb");
    char *text = file ? malloc(MAX_FILE_BYTES) : NULL;
    size_t size = text ? fread(text, 1, MAX_FILE_BYTES, file) : 0;
    if (!text || ferror(file)) {
        OBSERVE_ERROR("%s: %s", path, strerror(errno)); /* observing leaves errno as it was */
        fprintf(stderr, "ask: %s: %s\n", path, strerror(errno));
        free(text);
        text = NULL;
    } else if (size == MAX_FILE_BYTES) {
        lf_update_current_observation(.level = LF_LEVEL_WARNING, .status_message = "the end of a long file is left out");
    }
    if (file)
        fclose(file);
    *out_size = size;
    OBSERVE_OUTPUT(LF_OBJECT("bytes", size));
    return text;
}

static bool is_blank(const char *at, const char *end)
{
    while (at < end && isspace((unsigned char)*at))
        at++;
    return at == end;
}

/* A passage is a paragraph with the heading above it. Program text, between ``` lines, is left out. */
static void split(corpus *c, const document *d)
{
    const char *path = d->path, *const end = d->text + d->size;
    const size_t before = c->passage_count;
    OBSERVE(path);
    passage *open = NULL;
    bool has_body = false, in_code = false;
    int number = 1;
    for (const char *line = d->text, *next; line < end; line = next, number++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));
        next = newline ? newline + 1 : end;
        const bool fence = next - line >= 3 && memcmp(line, "```", 3) == 0, blank = is_blank(line, next);
        const bool heading = !in_code && *line == '#';
        if (fence || heading || (blank && has_body))
            open = NULL;
        in_code ^= fence;
        if (fence || in_code || blank)
            continue;
        if (!open && c->passage_count == MAX_PASSAGES) {
            OBSERVE_ERROR("more than %d passages: the rest is left out", MAX_PASSAGES);
            break;
        }
        if (!open) {
            open = &c->passages[c->passage_count++];
            *open = (passage){.document = d, .piece.text = line, .line = number};
        }
        open->piece.size = (size_t)(next - open->piece.text);
        has_body = !heading;
    }
    OBSERVE_OUTPUT(LF_OBJECT("passages", c->passage_count - before));
}

static int by_name(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

/* Of folders, files called .md or .txt; what the user named, whatever it is called. */
static bool is_wanted(const FTSENT *entry)
{
    const char *dot = strrchr(entry->fts_name, '.');
    bool text = dot && (strcmp(dot, ".md") == 0 || strcmp(dot, ".txt") == 0);
    return entry->fts_info == FTS_F && (text || entry->fts_level == FTS_ROOTLEVEL);
}

/* False: no memory. */
static bool read_corpus(corpus *c, char **paths)
{
    OBSERVE();
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, by_name);
    bool good = tree != NULL;
    for (FTSENT *entry; good && c->document_count < MAX_FILES && (entry = fts_read(tree)) != NULL;) {
        document *d = &c->documents[c->document_count];
        if (!is_wanted(entry) || !(d->text = read_file(entry->fts_path, &d->size)))
            continue; /* a file that cannot be read was reported; the others may do */
        c->document_count++;
        d->path = strdup(entry->fts_path);
        good = d->path != NULL;
        if (good)
            split(c, d);
    }
    if (tree)
        fts_close(tree);
    OBSERVE_OUTPUT(LF_OBJECT("documents", c->document_count, "passages", c->passage_count));
    return good;
}

static void corpus_free(corpus *c)
{
    for (size_t i = 0; c && i < c->document_count; i++) {
        free(c->documents[i].path);
        free(c->documents[i].text);
    }
    free(c);
}

/* ---- Search -------------------------------------------------------------------------------------------------------- */

typedef struct part {
    passage *passages;
    size_t count;
    const query *query;
    pthread_t thread;
    bool started;
} part;

/* A thread's share: count the terms. Its observation becomes a child of the search, whose context the thread carries. */
static void *search_part(void *argument)
{
    part *p = argument;
    size_t passages = p->count, found = 0;
    OBSERVE_RETRIEVER(passages);
    for (passage *at = p->passages; at < p->passages + p->count; at++) {
        bool has_term = false;
        piece rest = at->piece, word;
        for (; next_word(&rest, &word); at->words++) {
            int term = find_term(p->query, word);
            if (term >= 0 && at->counts[term] < UINT16_MAX)
                at->counts[term]++;
            has_term |= term >= 0;
        }
        found += has_term;
    }
    OBSERVE_OUTPUT(LF_OBJECT("found", found));
    return NULL;
}

static void search_in_threads(corpus *c, const query *q, size_t threads)
{
    part parts[MAX_THREADS];
    for (size_t i = 0; i < threads; i++) {
        size_t first = c->passage_count * i / threads, last = c->passage_count * (i + 1) / threads;
        parts[i] = (part){.passages = c->passages + first, .count = last - first, .query = q};
        parts[i].started = lf_thread_create(&parts[i].thread, NULL, search_part, &parts[i]) == 0;
        if (!parts[i].started)
            search_part(&parts[i]);
    }
    for (size_t i = 0; i < threads; i++)
        if (parts[i].started)
            pthread_join(parts[i].thread, NULL);
}

/* BM25: a term counts the more the rarer it is, the more often it stands in the passage, and the shorter that is. */
static void rank(corpus *c, query *q)
{
    const double k1 = 1.2, b = 0.75, total = (double)c->passage_count;
    double words = 0, having[MAX_TERMS] = {0};
    for (size_t i = 0; i < c->passage_count; i++) {
        words += c->passages[i].words;
        for (int t = 0; t < q->count; t++)
            having[t] += c->passages[i].counts[t] > 0;
    }
    for (int t = 0; t < q->count; t++)
        q->weights[t] = log(1 + (total - having[t] + 0.5) / (having[t] + 0.5));
    for (passage *p = c->passages; words > 0 && p < c->passages + c->passage_count; p++)
        for (int t = 0; t < q->count; t++) {
            double count = p->counts[t], length = p->words * total / words;
            p->score += q->weights[t] * count * (k1 + 1) / (count + k1 * (1 - b + b * length));
        }
}

/* The best passages, best first; of equals the earlier. */
static hits best_of(const corpus *c, int limit)
{
    hits found = {0};
    for (const passage *p = c->passages; p < c->passages + c->passage_count; p++) {
        int at = found.count;
        while (at > 0 && p->score > found.best[at - 1]->score)
            at--;
        if (p->score <= 0 || at == limit)
            continue;
        found.count += found.count < limit;
        memmove(&found.best[at + 1], &found.best[at], (size_t)(found.count - at - 1) * sizeof *found.best);
        found.best[at] = p;
    }
    return found;
}

/* Closes a memory stream. Its text, for free(); NULL: no memory. */
static char *text_of(FILE *stream, char **text)
{
    bool good = stream && !ferror(stream);
    if ((!stream || fclose(stream) == 0) && good)
        return *text;
    free(*text);
    return NULL;
}

/* What was found as a text for a model, for free(); NULL: no memory. */
static char *search(corpus *c, const char *question, query *q, int limit, int threads, hits *out)
{
    OBSERVE_RETRIEVER(question, limit, threads);
    char *text = NULL;
    size_t size;
    search_in_threads(c, q, (size_t)threads);
    rank(c, q);
    *out = best_of(c, limit);
    FILE *stream = open_memstream(&text, &size);
    for (int i = 0; stream && i < out->count; i++) {
        const passage *p = out->best[i];
        int shown = p->piece.size < MAX_PROMPT_BYTES ? (int)p->piece.size : MAX_PROMPT_BYTES;
        fprintf(stream, "[%d] %s:%d\n%.*s\n", i + 1, p->document->path, p->line, shown, p->piece.text);
    }
    text = text_of(stream, &text);
    lf_update_current_observation(.output = LF_VALUE(text),
                                  .metadata = LF_OBJECT("searched", c->passage_count, "found", out->count, "best_score",
                                                        out->count ? out->best[0]->score : 0.0));
    return text;
}

/* ---- Answer -------------------------------------------------------------------------------------------------------- */

/* The next sentence is cut off: it ends behind its full stop, or before a heading, an item of a list, a row of a table. */
static piece next_sentence(piece *rest)
{
    const char *begin = rest->text, *const end = begin + rest->size;
    while (begin < end && isspace((unsigned char)*begin))
        begin++;
    const char *at = begin;
    for (bool ends = false; at < end && !ends; at++)
        ends = at + 1 < end &&
               (*at == '\n' ? memchr("#|-*>", at[1], 5) || *begin == '#' : memchr(".!?", *at, 3) && isspace((unsigned char)at[1]));
    *rest = (piece){at, (size_t)(end - at)};
    while (at > begin && isspace((unsigned char)at[-1]))
        at--;
    return (piece){begin, (size_t)(at - begin)};
}

/* The sentence that has most of the question; empty when there are only headings. */
static piece best_sentence(const passage *p, const query *q)
{
    piece best = {0}, rest = p->piece, sentence, word;
    double most = -1;
    while ((sentence = next_sentence(&rest)).size > 0) {
        double weight = 0;
        unsigned seen = 0; /* a bit a term */
        for (piece words = sentence; next_word(&words, &word);) {
            int term = find_term(q, word);
            weight += term >= 0 && !(seen & 1u << term) ? q->weights[term] : 0;
            seen |= term >= 0 ? 1u << term : 0;
        }
        if (*sentence.text != '#' && weight > most) {
            most = weight;
            best = sentence;
        }
    }
    return best;
}

/* The best sentences with their sources, a line each, for free(); empty when there is none, NULL: no memory. */
static char *compose(const hits *found, const query *q)
{
    const int passages = found->count;
    OBSERVE_CHAIN(passages);
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    for (int i = 0; stream && i < found->count && i < MAX_SENTENCES; i++) {
        const passage *p = found->best[i];
        piece sentence = best_sentence(p, q);
        for (size_t k = 0; k < sentence.size && k < MAX_SENTENCE_BYTES; k++) /* on one line */
            if (!isspace((unsigned char)sentence.text[k]))
                fputc(sentence.text[k], stream);
            else if (!isspace((unsigned char)sentence.text[k - 1])) /* a sentence does not begin with a space */
                fputc(' ', stream);
        if (sentence.size > 0)
            fprintf(stream, " [%s:%d]\n", p->document->path, p->line);
    }
    OBSERVE_RETURN(text_of(stream, &text));
}

/* ---- A chat model -------------------------------------------------------------------------------------------------- */

/* A piece of the answer, as it arrives. False, to hear no more, when nobody reads it. */
static bool print_piece(void *printed, const char *text, size_t size)
{
    *(bool *)printed = true;
    return fwrite(text, 1, size, stdout) == size && fflush(stdout) == 0;
}

/* The model's answer, for free(), printed as it came; NULL after saying why there is none. */
static char *chat(const char *question, const char *passages)
{
    const char *model = getenv("OPENAI_MODEL");
    char *prompt = NULL, *answer = NULL;
    bool printed = false;
    lf_error error = {.message = "out of memory"};
    lf_reply *reply = NULL;
    if (asprintf(&prompt,
                 "Answer the question in at most three sentences, from these passages alone, with their numbers in "
                 "brackets.\n\n%s\nQuestion: %s",
                 passages, question) >= 0) {
        reply = lf_openai_chat(.name = "chat", .model = model && *model ? model : "gpt-4o-mini", .messages = LF_VALUE(prompt),
                               .parameters = LF_OBJECT("temperature", 0.2, "max_tokens", 300), .on_text = print_piece,
                               .on_text_data = &printed, .error = &error);
        free(prompt);
    }
    if (reply && *reply->text)
        answer = strdup(reply->text);
    if (!answer && printed)
        puts(""); /* behind half an answer */
    if (!answer)
        fprintf(stderr, "ask: model failed: %s, answering from passages\n", reply ? "no text in its reply" : error.message);
    lf_reply_free(reply);
    return answer;
}

/* ---- The program --------------------------------------------------------------------------------------------------- */

/* The whole of it: the root of the trace. On ANSWERED it is printed. */
static int ask(const options *o, corpus *c)
{
    const char *question = o->question;
    OBSERVE_AGENT(question);
    query q = query_of(question);
    hits found = {0};
    char *answer = NULL, *passages = read_corpus(c, o->paths) ? search(c, question, &q, o->passages, o->threads, &found) : NULL;
    if (passages && found.count > 0 && o->has_model)
        answer = chat(question, passages);
    bool printed = answer != NULL;
    if (passages && !answer)
        answer = compose(&found, &q); /* no model, or none that answers */
    free(passages);
    OBSERVE_OUTPUT(answer);
    if (!answer)
        OBSERVE_ERROR("out of memory");
    else if (!*answer)
        lf_update_current_observation(.level = LF_LEVEL_WARNING, .status_message = "nothing found");
    int status = !answer ? TROUBLE : *answer ? ANSWERED : NOT_FOUND;
    if (status == ANSWERED)
        printf("%s%s", printed ? "" : answer, answer[strlen(answer) - 1] == '\n' ? "" : "\n");
    free(answer);
    return status;
}

static bool read_number(const char *text, int most, int *out)
{
    char *end;
    long number = strtol(text, &end, 10);
    *out = number > 0 && number <= most ? (int)number : 0;
    return *out > 0 && !*end;
}

/* 0, or the exit status after a message. */
static int read_options(int argc, char **argv, options *o)
{
    static char *at_hand[] = {"README.md", "docs", NULL};
    bool good = true;
    for (int option; good && (option = getopt(argc, argv, "n:t:")) != -1;)
        good = (option == 'n' && read_number(optarg, MAX_HITS, &o->passages)) ||
               (option == 't' && read_number(optarg, MAX_THREADS, &o->threads));
    if (!good || optind == argc) {
        fprintf(stderr, "usage: ask [-n PASSAGES (1 to %d)] [-t THREADS (1 to %d)] QUESTION [FILE-or-DIRECTORY...]\n", MAX_HITS,
                MAX_THREADS);
        return TROUBLE;
    }
    o->question = argv[optind];
    o->paths = optind + 1 < argc ? argv + optind + 1 : at_hand;
    for (char **path = o->paths; *path; path++)
        if (access(*path, R_OK) != 0) {
            fprintf(stderr, "ask: %s: %s\n", *path, strerror(errno));
            return TROUBLE;
        }
    return 0;
}

int main(int argc, char **argv)
{
    const char *url = getenv("OPENAI_BASE_URL");
    options o = {.passages = 5, .threads = 4, .has_model = url && *url};
    int status = read_options(argc, argv, &o);
    if (status != 0)
        return status;
    corpus *c = calloc(1, sizeof *c);
    status = c ? ask(&o, c) : TROUBLE;
    if (status != ANSWERED)
        fputs(status == NOT_FOUND ? "ask: nothing found\n" : "ask: out of memory\n", stderr);
    corpus_free(c);
    return status;
}
