#include "media.h"

#include "../base/json.h"
#include "../base/sha256.h"

#include <string.h>

enum {
    MEDIA_DEPTH = 32,          /* containers whose members are looked at; APIs nest media at most half as deep */
    MEDIA_HEAD = 32,           /* first bytes of a medium, by which its type is told */
    MEDIA_TYPE_MAX = 64,       /* bytes of a type's name, with its NUL */
    MEDIA_URI_HEAD_MAX = 256,  /* bytes before the comma of a data URI */
    MEDIA_SURE = 64,           /* bytes of base64 text that are no word */
    MEDIA_OPAQUE = 256,        /* bytes of signatures and of broken base64 that may stay */
    MEDIA_RUN = 1024,          /* bytes of base64 in a text that may stay */
    MEDIA_ID_SIZE = 22
};

/* ---- Types ------------------------------------------------------------------------------------------------------ */

static const char media_unknown[] = "application/octet-stream";

typedef struct media_magic {
    size_t at;
    lf__text bytes;
    const char *type;
} media_magic;

static const media_magic media_magics[] = {
    {0, LF__TEXT("\x89PNG\r\n\x1a\n"), "image/png"},
    {0, LF__TEXT("\xFF\xD8\xFF"), "image/jpeg"},
    {0, LF__TEXT("GIF87a"), "image/gif"},
    {0, LF__TEXT("GIF89a"), "image/gif"},
    {8, LF__TEXT("WEBP"), "image/webp"},
    {8, LF__TEXT("WAVE"), "audio/wav"},
    {8, LF__TEXT("AVI "), "video/x-msvideo"},
    {0, LF__TEXT("II*\0"), "image/tiff"},
    {0, LF__TEXT("MM\0*"), "image/tiff"},
    {0, LF__TEXT("%PDF-"), "application/pdf"},
    {0, LF__TEXT("ID3"), "audio/mpeg"},
    {0, LF__TEXT("\xFF\xFB"), "audio/mpeg"},
    {0, LF__TEXT("\xFF\xF3"), "audio/mpeg"},
    {0, LF__TEXT("\xFF\xF2"), "audio/mpeg"},
    {0, LF__TEXT("fLaC"), "audio/flac"},
    {0, LF__TEXT("OggS"), "audio/ogg"},
    {4, LF__TEXT("ftypM4A "), "audio/mp4"},
    {4, LF__TEXT("ftypavif"), "image/avif"},
    {4, LF__TEXT("ftyphei"), "image/heic"},
    {4, LF__TEXT("ftypmif1"), "image/heic"},
    {4, LF__TEXT("ftypqt"), "video/quicktime"},
    {4, LF__TEXT("ftyp"), "video/mp4"},
    {0, LF__TEXT("\x1A\x45\xDF\xA3"), "video/webm"},
    {0, LF__TEXT("PK\x03\x04"), "application/zip"},
    {0, LF__TEXT("\x1F\x8B\x08"), "application/gzip"},
    {0, LF__TEXT("<svg"), "image/svg+xml"},
};

const char *lf__media_sniff(const void *bytes, size_t size)
{
    for (size_t i = 0; i < sizeof media_magics / sizeof *media_magics; i++) {
        const media_magic *magic = &media_magics[i];
        bool is_riff = magic->at != 8 || (size >= 4 && memcmp(bytes, "RIFF", 4) == 0);
        if (is_riff && size >= magic->at + magic->bytes.size &&
            memcmp((const char *)bytes + magic->at, magic->bytes.at, magic->bytes.size) == 0)
            return magic->type;
    }
    return media_unknown;
}

/* A name that goes into a token: "image/png". */
static bool media_is_type(lf__text type)
{
    size_t slashes = 0;
    for (size_t i = 0; i < type.size; i++) {
        char c = type.at[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && !lf__is_one_of(c, "!#$&^_.+-/"))
            return false;
        slashes += c == '/';
    }
    return slashes == 1 && type.size < MEDIA_TYPE_MAX && type.at[0] != '/' && type.at[type.size - 1] != '/';
}

void lf__media_type_of(char *out, size_t room, const char *kind, lf__text format)
{
    static const struct {
        const char *format, *type;
    } odd[] = {
        {"jpg", "image/jpeg"},        {"m4a", "audio/mp4"},         {"pcm", media_unknown},       {"pcm16", media_unknown},
        {"pcm_s16le", media_unknown}, {"g711_ulaw", media_unknown}, {"g711_alaw", media_unknown},
    };
    char type[MEDIA_TYPE_MAX];
    lf__buf buf;
    lf__buf_over(&buf, type, sizeof type);
    lf__buf_add_text(&buf, kind);
    lf__buf_add_char(&buf, '/');
    lf__buf_add(&buf, format.at, format.size);
    lf__text name = lf__buf_text(&buf);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        if (lf__text_equals(format, lf__text_of(odd[i].format)))
            name = lf__text_of(odd[i].type);
    bool good = !buf.failed && media_is_type(name) && name.size < room;
    if (good)
        memcpy(out, name.at, name.size);
    out[good ? name.size : 0] = '\0';
}

static const char *media_type_by_name(lf__text name)
{
    static const char *const ends[][2] = {
        {".pdf", "application/pdf"},   {".txt", "text/plain"}, {".csv", "text/csv"},  {".md", "text/markdown"},
        {".json", "application/json"}, {".html", "text/html"}, {".png", "image/png"}, {".jpg", "image/jpeg"},
        {".jpeg", "image/jpeg"},       {".mp3", "audio/mpeg"}, {".wav", "audio/wav"},
    };
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t size = strlen(ends[i][0]);
        if (name.size > size && memcmp(name.at + name.size - size, ends[i][0], size) == 0)
            return ends[i][1];
    }
    return "";
}

/* ---- Base64 in JSON strings ------------------------------------------------------------------------------------- */

enum { MEDIA_PAD = 64, MEDIA_BREAK = 65, MEDIA_NONE = -1 };

/* Of a character of ASCII: its six bits in either alphabet, or one of the names above. */
static const signed char media_values[128] = {
    -1, -1, -1, -1, -1, -1, -1, -1, -1, 65, 65, -1, -1, 65, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1,
    -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, 62, -1, 62, -1, 63, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, -1, -1, -1, 64, -1, -1,
    -1, 0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, -1, -1, -1, -1, 63,
    -1, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, -1, -1, -1, -1, -1,
};

static int media_value(unsigned char c)
{
    return c < 0x80 ? media_values[c] : MEDIA_NONE;
}

/* The value of the character at *at, which may be an escape; *at moves behind it. */
static int media_next(const char **at, const char *end)
{
    const char *from = (*at)++;
    if (*from != '\\')
        return media_value((unsigned char)*from);
    if (end - from < 2)
        return MEDIA_NONE;
    ++*at;
    switch (from[1]) {
    case '/': return media_value('/');
    case 'n':
    case 'r':
    case 't': return MEDIA_BREAK;
    case 'u': break;
    default: return MEDIA_NONE;
    }
    *at = end - from >= 6 ? from + 6 : end;
    int high = end - from >= 6 && from[2] == '0' && from[3] == '0' ? lf__hex_digit(from[4]) : -1;
    int low = high >= 0 ? lf__hex_digit(from[5]) : -1;
    return low < 0 ? MEDIA_NONE : media_value((unsigned char)(high << 4 | low));
}

/* What base64 stands for: its hash and first bytes. The bytes themselves are gone. */
typedef struct media_data {
    lf__sha256_sum sum;
    size_t size;
    size_t head_size;
    uint8_t head[MEDIA_HEAD];
} media_data;

typedef struct media_decoder {
    media_data *to;
    uint32_t bits;
    unsigned count; /* characters of an unfinished group of four */
    unsigned pads;
    size_t held;
    uint8_t piece[768];
} media_decoder;

static void media_flush(media_decoder *decoder)
{
    media_data *to = decoder->to;
    for (size_t i = 0; i < decoder->held && to->head_size < MEDIA_HEAD; i++)
        to->head[to->head_size++] = decoder->piece[i];
    lf__sha256_add(&to->sum, decoder->piece, decoder->held);
    to->size += decoder->held;
    decoder->held = 0;
}

/* The bytes of a group of four, or of a last one that is shorter. */
static void media_end_group(media_decoder *decoder)
{
    uint32_t bits = decoder->bits << (6 * (4 - decoder->count));
    if (decoder->held + 3 > sizeof decoder->piece)
        media_flush(decoder);
    for (unsigned i = 1; i < decoder->count; i++)
        decoder->piece[decoder->held++] = (uint8_t)(bits >> (24 - 8 * i));
    decoder->bits = decoder->count = decoder->pads = 0;
}

/* Whole groups without escapes. */
static const char *media_decode_plain(media_decoder *decoder, const char *at, const char *end)
{
    const unsigned char *from = (const unsigned char *)at;
    for (; end - (const char *)from >= 4; from += 4) {
        int a = media_value(from[0]), b = media_value(from[1]), c = media_value(from[2]), d = media_value(from[3]);
        if (((unsigned)a | (unsigned)b | (unsigned)c | (unsigned)d) > 63)
            break;
        if (decoder->held + 3 > sizeof decoder->piece)
            media_flush(decoder);
        uint32_t bits = (uint32_t)a << 18 | (uint32_t)b << 12 | (uint32_t)c << 6 | (uint32_t)d;
        decoder->piece[decoder->held++] = (uint8_t)(bits >> 16);
        decoder->piece[decoder->held++] = (uint8_t)(bits >> 8);
        decoder->piece[decoder->held++] = (uint8_t)bits;
    }
    return (const char *)from;
}

static bool media_take(media_decoder *decoder, int value)
{
    if (value == MEDIA_BREAK)
        return true;
    if (value == MEDIA_NONE || (value == MEDIA_PAD ? decoder->count < 2 : decoder->pads > 0))
        return false;
    if (value == MEDIA_PAD) {
        decoder->pads++;
    } else {
        decoder->bits = decoder->bits << 6 | (uint32_t)value;
        decoder->count++;
    }
    if (decoder->count + decoder->pads == 4)
        media_end_group(decoder);
    return true;
}

/* Decode the inside of a JSON string. Line breaks are skipped; padding may be missing, and may stand between joined pieces.
 * False: it is no base64, or stands for nothing. */
static bool media_decode(media_data *to, const char *at, const char *end)
{
    media_decoder decoder = {.to = to};
    to->size = to->head_size = 0;
    lf__sha256_init(&to->sum);
    while (at < end) {
        if (decoder.count == 0)
            at = media_decode_plain(&decoder, at, end);
        if (at < end && !media_take(&decoder, media_next(&at, end)))
            return false;
    }
    if (decoder.count == 1)
        return false;
    if (decoder.count > 0)
        media_end_group(&decoder);
    media_flush(&decoder);
    return to->size > 0;
}

/* ---- Tokens ----------------------------------------------------------------------------------------------------- */

static bool media_write_token(lf__buf *out, const char *type, lf__sha256_sum *sum, const char *source)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t hash[32];
    char id[MEDIA_ID_SIZE];
    size_t start = out->length;
    lf__sha256_finish(sum, hash);
    for (size_t i = 0; i < MEDIA_ID_SIZE; i++) {
        size_t bit = 6 * i;
        unsigned two = (unsigned)hash[bit / 8] << 8 | hash[bit / 8 + 1];
        id[i] = letters[two >> (10 - bit % 8) & 63];
    }
    LF__BUF_ADD(out, "@@@langfuseMedia:type=");
    lf__buf_add_text(out, type);
    LF__BUF_ADD(out, "|id=");
    lf__buf_add(out, id, sizeof id);
    LF__BUF_ADD(out, "|source=");
    lf__buf_add_text(out, source);
    LF__BUF_ADD(out, "@@@");
    return lf__buf_finish(out, start);
}

bool lf__media_add_token(lf__buf *out, const char *type, const void *bytes, size_t size, const char *source)
{
    lf__sha256_sum sum;
    lf__sha256_init(&sum);
    lf__sha256_add(&sum, bytes, size);
    if (type == NULL || !media_is_type(lf__text_of(type)))
        type = lf__media_sniff(bytes, size);
    return media_write_token(out, type, &sum, source);
}

/* ---- Where media stand ------------------------------------------------------------------------------------------ */

/* What members of an object say about the data among them. Raw texts; none: it does not say it. */
typedef struct media_siblings {
    lf__text mime;
    lf__text format;
    lf__text filename;
    lf__text type;
    lf__text output_format;
} media_siblings;

typedef struct media_frame {
    lf__text key;      /* of the member that holds the container; of a list in it, too */
    const char *begin; /* of the container */
    bool looked;
    media_siblings siblings;
} media_frame;

typedef struct media_walk {
    lf__buf *out;
    const char *media_type;
    const char *from; /* what stands from here on has not been copied yet */
    const char *end;
    size_t depth;
    media_frame frames[MEDIA_DEPTH];
} media_walk;

/* What a string must be to be replaced. */
typedef enum media_place {
    MEDIA_TEXT,    /* a text like others */
    MEDIA_TYPED,   /* any base64 */
    MEDIA_UNTYPED, /* base64 that is surely no word */
    MEDIA_GUESSED, /* base64 of a type that its first bytes tell */
    MEDIA_SIGNATURE
} media_place;

static bool media_is(lf__text raw, const char *text)
{
    return raw.at != NULL && lf__json_is(raw.at, raw.size, text);
}

static bool media_is_one_of(lf__text raw, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (media_is(raw, texts[i]))
            return true;
    return false;
}
#define MEDIA_IS_ONE_OF(raw, ...) \
    media_is_one_of(raw, (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *))

static const media_siblings *media_look(media_frame *frame, const char *end)
{
    static const struct {
        const char *key;
        size_t place;
    } names[] = {
        {"media_type", offsetof(media_siblings, mime)},
        {"mimeType", offsetof(media_siblings, mime)},
        {"mime_type", offsetof(media_siblings, mime)},
        {"format", offsetof(media_siblings, format)},
        {"filename", offsetof(media_siblings, filename)},
        {"type", offsetof(media_siblings, type)},
        {"output_format", offsetof(media_siblings, output_format)},
    };
    lf__json_member member;
    if (frame->looked)
        return &frame->siblings;
    frame->looked = true;
    for (size_t at = 0; lf__json_next_member(frame->begin, (size_t)(end - frame->begin), &at, &member);)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (member.value_size >= 2 && *member.value == '"' && lf__json_is(member.key, member.key_size, names[i].key)) {
                lf__text value = {member.value + 1, member.value_size - 2};
                memcpy((char *)&frame->siblings + names[i].place, &value, sizeof value);
            }
    return &frame->siblings;
}

/* A raw string as a type, if it is one; "" otherwise. */
static void media_type_from(char type[MEDIA_TYPE_MAX], lf__text raw)
{
    lf__buf plain;
    lf__buf_over(&plain, type, MEDIA_TYPE_MAX - 1);
    bool good = raw.at != NULL && lf__json_unescape(&plain, raw.at, raw.size) && media_is_type(lf__buf_text(&plain));
    type[good ? plain.length : 0] = '\0';
}

static bool media_is_audio_format(lf__text format)
{
    return MEDIA_IS_ONE_OF(format, "wav", "mp3", "flac", "opus", "ogg", "aac", "m4a", "webm", "pcm16", "pcm");
}

/* `data` beside what says its type. */
static media_place media_place_of_data(char type[MEDIA_TYPE_MAX], const media_walk *walk, const media_siblings *beside,
                                       lf__text holder)
{
    if (media_is(beside->type, "redacted_thinking"))
        return MEDIA_SIGNATURE;
    if (media_is(beside->type, "text"))
        return MEDIA_TEXT; /* a document of Anthropic's, with a type and no base64 */
    media_type_from(type, beside->mime);
    if (*type != '\0')
        return MEDIA_TYPED;
    bool is_input = media_is(holder, "input_audio"), is_audio = is_input || media_is(holder, "audio");
    if (!is_audio && !media_is_audio_format(beside->format))
        return MEDIA_GUESSED;
    if (beside->format.at != NULL)
        lf__media_type_of(type, MEDIA_TYPE_MAX, "audio", beside->format);
    else if (is_input)
        memcpy(type, "audio/wav", sizeof "audio/wav");
    else if (walk->media_type != NULL)
        media_type_from(type, lf__text_of(walk->media_type));
    return MEDIA_TYPED;
}

static media_place media_place_of_image(char type[MEDIA_TYPE_MAX], const media_walk *walk, const media_siblings *beside)
{
    media_type_from(type, beside->mime);
    if (*type == '\0' && beside->output_format.at != NULL)
        lf__media_type_of(type, MEDIA_TYPE_MAX, "image", beside->output_format);
    if (*type == '\0' && walk->media_type != NULL)
        media_type_from(type, lf__text_of(walk->media_type));
    return MEDIA_UNTYPED;
}

/* What the string of a member may be; `type`: "" where only its bytes tell. */
static media_place media_place_of_member(char type[MEDIA_TYPE_MAX], media_walk *walk, lf__text key)
{
    if (MEDIA_IS_ONE_OF(key, "signature", "thoughtSignature", "thought_signature", "encrypted_content", "encrypted_index"))
        return MEDIA_SIGNATURE;
    bool is_result = media_is(key, "result");
    bool is_image = is_result || MEDIA_IS_ONE_OF(key, "b64_json", "partial_image_b64", "bytesBase64Encoded", "imageBytes");
    bool is_data = media_is(key, "data"), is_file = media_is(key, "file_data");
    if (!is_image && !is_data && !is_file)
        return MEDIA_TEXT;
    media_frame *frame = &walk->frames[walk->depth - 1];
    const media_siblings *beside = media_look(frame, walk->end);
    if (is_data)
        return media_place_of_data(type, walk, beside, frame->key);
    if (is_image)
        return is_result && !media_is(beside->type, "image_generation_call") ? MEDIA_TEXT
                                                                             : media_place_of_image(type, walk, beside);
    if (beside->filename.at != NULL)
        media_type_from(type, lf__text_of(media_type_by_name(beside->filename)));
    return MEDIA_UNTYPED;
}

static media_place media_place_of(char type[MEDIA_TYPE_MAX], media_walk *walk, lf__text key)
{
    *type = '\0';
    if (walk->depth == 0 || walk->depth > MEDIA_DEPTH)
        return MEDIA_TEXT;
    if (key.at != NULL)
        return media_place_of_member(type, walk, key);
    return MEDIA_IS_ONE_OF(walk->frames[walk->depth - 1].key, "images", "multimodal_data") ? MEDIA_UNTYPED : MEDIA_TEXT;
}

/* ---- Replacing -------------------------------------------------------------------------------------------------- */

static void media_copy_to(media_walk *walk, const char *end)
{
    lf__buf_add(walk->out, walk->from, (size_t)(end - walk->from));
    walk->from = end;
}

static void media_replace(media_walk *walk, const char *at, const char *end, const char *type, media_data *data)
{
    media_copy_to(walk, at);
    media_write_token(walk->out, *type != '\0' ? type : lf__media_sniff(data->head, data->head_size), &data->sum,
                      "base64_data_uri");
    walk->from = end;
}

static void media_replace_by_size(media_walk *walk, const char *at, const char *end)
{
    media_copy_to(walk, at);
    LF__BUF_ADD(walk->out, "<base64, ");
    lf__json_uint(walk->out, (uint64_t)(end - at));
    LF__BUF_ADD(walk->out, " bytes>");
    walk->from = end;
}

/* Small letters and what has no case. */
static bool media_is_letters(const char *at, const char *letters, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if ((at[i] | 0x20) != letters[i])
            return false;
    return true;
}

/* Does base64 begin at `data`, right behind the head of a data URI that begins at `at`? */
static bool media_is_uri_head(const char *at, const char *data, char type[MEDIA_TYPE_MAX])
{
    static const char scheme[] = "data:", ending[] = ";base64,";
    enum { SCHEME = sizeof scheme - 1, ENDING = sizeof ending - 1 };
    if (data - at < SCHEME + ENDING || data - at > MEDIA_URI_HEAD_MAX || !media_is_letters(at, scheme, SCHEME) ||
        !media_is_letters(data - ENDING, ending, ENDING))
        return false;
    lf__text name = {at + SCHEME, (size_t)(data - at) - SCHEME};
    name.size = (size_t)((const char *)memchr(name.at, ';', name.size) - name.at);
    media_type_from(type, name);
    return name.size == 0 || *type != '\0';
}

/* A string that is a data URI as a whole. */
static bool media_replace_uri(media_walk *walk, const char *at, const char *end)
{
    char type[MEDIA_TYPE_MAX];
    media_data data;
    size_t most = end - at < MEDIA_URI_HEAD_MAX ? (size_t)(end - at) : MEDIA_URI_HEAD_MAX;
    const char *comma = *at == 'd' || *at == 'D' ? memchr(at, ',', most) : NULL;
    if (comma == NULL || !media_is_uri_head(at, comma + 1, type) || !media_decode(&data, comma + 1, end))
        return false;
    media_replace(walk, at, end, type, &data);
    return true;
}

/* Base64 of a kilobyte mixes letters of both cases and digits; a line of dashes and a hexadecimal number do not. */
static bool media_is_mixed(const char *at, const char *end)
{
    bool upper = false, lower = false, digit = false;
    for (; at < end && !(upper && lower && digit); at++) {
        upper |= *at >= 'A' && *at <= 'Z';
        lower |= *at >= 'a' && *at <= 'z';
        digit |= *at >= '0' && *at <= '9';
    }
    return upper && lower && digit;
}

/* Where the data URI begins whose base64 begins at `run`; NULL: there is none in the text that begins at `text`. */
static const char *media_uri_before(const char *text, const char *run, char type[MEDIA_TYPE_MAX])
{
    if (run == text || run[-1] != ',')
        return NULL;
    const char *first = run - text > MEDIA_URI_HEAD_MAX ? run - MEDIA_URI_HEAD_MAX : text;
    for (const char *at = run - 1; at > first; at--)
        if (at[-1] == ':' && at - first >= 5 && media_is_uri_head(at - 5, run, type))
            return at - 5;
    return NULL;
}

/* A run of characters of base64 in a longer text. */
static void media_end_run(media_walk *walk, const char *text, const char *run, const char *end)
{
    char type[MEDIA_TYPE_MAX];
    media_data data;
    if (end - run < MEDIA_SURE)
        return;
    const char *uri = media_uri_before(text, run, type);
    if (uri != NULL && media_decode(&data, run, end))
        media_replace(walk, uri, end, type, &data);
    else if ((uri != NULL && end - run >= MEDIA_OPAQUE) || (end - run > MEDIA_RUN && media_is_mixed(run, end)))
        media_replace_by_size(walk, run, end);
}

static void media_scan_text(media_walk *walk, const char *text, const char *end)
{
    const char *run = text, *at = text;
    while (at < end && end - run >= MEDIA_SURE) {
        while (at < end && (unsigned)media_value((unsigned char)*at) <= MEDIA_PAD)
            at++;
        if (at == end)
            break;
        const char *next = at;
        int value = media_next(&next, end);
        if (value < 0 || value == MEDIA_BREAK) {
            media_end_run(walk, text, run, at);
            run = next;
        }
        at = next;
    }
    if (at == end)
        media_end_run(walk, text, run, end);
}

/* Is it base64 from end to end, right or cut? */
static bool media_is_base64_text(const char *at, const char *end)
{
    while (at < end)
        if (media_next(&at, end) < 0)
            return false;
    return true;
}

static bool media_is_wanted(media_place place, const media_data *data, const char *at, const char *end)
{
    bool known = lf__media_sniff(data->head, data->head_size) != media_unknown;
    bool sure = end - at >= MEDIA_SURE;
    return place == MEDIA_TYPED || (place == MEDIA_UNTYPED && (known || sure || end[-1] == '=')) ||
           (place == MEDIA_GUESSED && known && sure);
}

/* The inside of a string that is a value. */
static void media_take_string(media_walk *walk, const char *at, const char *end, lf__text key)
{
    char type[MEDIA_TYPE_MAX];
    media_data data;
    if (at == end || media_replace_uri(walk, at, end))
        return;
    media_place place = media_place_of(type, walk, key);
    if (place == MEDIA_TEXT) {
        media_scan_text(walk, at, end);
    } else if (place != MEDIA_SIGNATURE && media_decode(&data, at, end) && media_is_wanted(place, &data, at, end)) {
        media_replace(walk, at, end, type, &data);
    } else if (place != MEDIA_GUESSED && end - at >= MEDIA_OPAQUE && media_is_base64_text(at, end)) {
        media_replace_by_size(walk, at, end);
    } else {
        media_scan_text(walk, at, end);
    }
}

/* ---- Walking ---------------------------------------------------------------------------------------------------- */

static void media_open(media_walk *walk, const char *at, lf__text key)
{
    if (walk->depth < MEDIA_DEPTH) {
        /* A container in a list is held by the member that holds the list. */
        if (key.at == NULL && walk->depth > 0 && *walk->frames[walk->depth - 1].begin == '[')
            key = walk->frames[walk->depth - 1].key;
        walk->frames[walk->depth] = (media_frame){.key = key, .begin = at};
    }
    walk->depth++;
}

/* The quote that ends the string whose inside begins at `at`. */
static const char *media_string_end(const char *at, const char *end)
{
    for (const char *quote = at; at < end; quote++) {
        quote = memchr(quote, '"', (size_t)(end - quote));
        if (quote == NULL)
            break;
        size_t escapes = 0;
        while (quote - escapes > at && quote[-1 - (ptrdiff_t)escapes] == '\\')
            escapes++;
        if (escapes % 2 == 0)
            return quote;
    }
    return end;
}

bool lf__media_add_json(lf__buf *out, lf__text json, const char *media_type)
{
    return lf__media_add_member(out, (lf__text){NULL, 0}, json, media_type);
}

/* `key` is that of the value that comes next. */
bool lf__media_add_member(lf__buf *out, lf__text key, lf__text json, const char *media_type)
{
    size_t start = out->length;
    if (json.size == 0)
        return !out->failed;
    const char *end = json.at + json.size;
    media_walk walk;
    walk.out = out;
    walk.media_type = media_type;
    walk.from = json.at;
    walk.end = end;
    walk.depth = 0;
    for (const char *at = json.at; at < end && !out->failed; at++) {
        if (*at == '{' || *at == '[') {
            media_open(&walk, at, key);
            key.at = NULL;
        } else if (*at == '}' || *at == ']') {
            walk.depth -= walk.depth > 0;
        } else if (*at == ',') {
            key.at = NULL;
        } else if (*at == '"') {
            const char *inside = at + 1, *behind = media_string_end(inside, end);
            at = behind < end ? behind : end - 1;
            lf__text rest = {behind, (size_t)(end - behind)};
            size_t blanks = 1;
            while (blanks < rest.size && lf__is_one_of(rest.at[blanks], " \t\r\n"))
                blanks++;
            if (blanks < rest.size && rest.at[blanks] == ':')
                key = (lf__text){inside, (size_t)(behind - inside)};
            else
                media_take_string(&walk, inside, behind, key);
        }
    }
    media_copy_to(&walk, end);
    return lf__buf_finish(out, start);
}
