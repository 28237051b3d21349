#include "frames.h"

#include "../base/json.h"

static const char frames_mark[] = "\xEF\xBB\xBF"; /* the byte order mark */

void lf__frames_init(lf__frames *frames, lf__lists lists, bool counts_vectors)
{
    *frames = (lf__frames){.lists = lists, .counts_vectors = counts_vectors};
    lf__buf_init(&frames->line, LF__EVENT_MAX);
    lf__buf_init(&frames->event, LF__EVENT_MAX);
}

void lf__frames_done(lf__frames *frames)
{
    lf__buf_done(&frames->line);
    lf__buf_done(&frames->event);
}

size_t lf__frames_memory(const lf__frames *frames)
{
    return frames->line.capacity + frames->event.capacity;
}

/* ---- Which framing it is ------------------------------------------------------------------------------------------ */

/* By the first bytes that are not blank. Those of a line are kept: it may go on as a field. */
static lf__framing frames_by(lf__text line, lf__lists lists)
{
    static const lf__framing of_lists[] = {LF__FRAMING_LIST, LF__FRAMING_VALUES, LF__FRAMING_BYTES};
    static const char *const fields[] = {"data:", "event:", "id:", "retry:", "error:", ":"};
    if (line.at[0] == '{')
        return LF__FRAMING_VALUES;
    if (line.at[0] == '[')
        return of_lists[lists];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        size_t size = strlen(fields[i]);
        if (memcmp(line.at, fields[i], line.size < size ? line.size : size) == 0)
            return line.size < size ? LF__FRAMING_UNKNOWN : LF__FRAMING_SSE;
    }
    return LF__FRAMING_BYTES;
}

static void frames_detect(lf__frames *frames)
{
    if (frames->framing != LF__FRAMING_UNKNOWN)
        return;
    while (frames->framing == LF__FRAMING_UNKNOWN && frames->at < frames->end) {
        char c = *frames->at++;
        if (frames->line.length == 0 && frames->mark_size < sizeof frames_mark - 1 && c == frames_mark[frames->mark_size]) {
            frames->mark_size++;
            continue;
        }
        if (frames->line.length == 0 && lf__is_one_of(c, " \t\r\n"))
            continue;
        if (!lf__buf_add_char(&frames->line, c)) {
            frames->dropped = true;
            return;
        }
        frames->framing = frames_by(lf__buf_text(&frames->line), frames->lists);
    }
    if (frames->framing != LF__FRAMING_VALUES && frames->framing != LF__FRAMING_LIST)
        return;
    lf__buf_clear(&frames->line);
    frames->at -= frames->framing == LF__FRAMING_VALUES; /* the bracket belongs to the value */
}

void lf__frames_give(lf__frames *frames, const char *bytes, size_t size)
{
    size_t room = sizeof frames->head - frames->head_size, kept = size < room ? size : room;
    memcpy(frames->head + frames->head_size, bytes, kept);
    frames->head_size += kept;
    frames->total += size;
    frames->at = bytes;
    frames->end = bytes + size;
    frames_detect(frames);
}

/* ---- Values: by the depth of braces outside of strings -------------------------------------------------------------- */

static const char *frames_skip_string(lf__frames *frames, const char *at, const char *end)
{
    for (; at < end; at++) {
        if (frames->is_escaped)
            frames->is_escaped = false;
        else if (*at == '\\')
            frames->is_escaped = true;
        else if (*at == '"') {
            frames->in_string = false;
            return at + 1;
        }
    }
    return at;
}

static bool frames_is_number(char c)
{
    return (c >= '0' && c <= '9') || c == '-';
}

/* In a vector, whose numbers are counted and not kept. Returns where it ends, or `end`. */
static const char *frames_skip_vector(lf__frames *frames, const char *at, const char *end)
{
    for (; at < end && !lf__is_one_of(*at, "]{[\""); at++)
        frames->numbers += *at == ',';
    if (at == end)
        return at;
    frames->vector = LF__VECTOR_NONE;
    lf__json_uint(&frames->event, frames->numbers);
    lf__buf_add(&frames->event, ",", *at != ']'); /* it is no vector after all */
    return at;
}

static void frames_keep(lf__frames *frames, const char *from, const char *to)
{
    lf__buf_add(&frames->event, from, (size_t)(to - from));
}

/* Take bytes of a value from *at on. True: it has ended. */
static bool frames_take_value(lf__frames *frames, const char **at_, const char *end)
{
    const char *at = *at_;
    while (frames->depth == 0 && at < end && *at != '{' && (*at != '[' || frames->lists != LF__LISTS_WHOLE))
        at++;
    const char *from = at;
    while (at < end) {
        if (frames->in_string) {
            at = frames_skip_string(frames, at, end);
            continue;
        }
        if (frames->vector == LF__VECTOR_INSIDE) {
            from = at = frames_skip_vector(frames, at, end);
            continue;
        }
        char c = *at;
        if (frames->vector == LF__VECTOR_OPENS && frames_is_number(c)) {
            frames_keep(frames, from, at);
            frames->vector = LF__VECTOR_INSIDE;
            frames->numbers = 1;
            continue;
        }
        if (frames->counts_vectors && !lf__is_one_of(c, " \t\r\n"))
            frames->vector = c == '[' ? LF__VECTOR_OPENS : LF__VECTOR_NONE;
        at++;
        frames->in_string = c == '"';
        frames->depth += c == '{' || c == '[';
        frames->depth -= (c == '}' || c == ']') && frames->depth > 0;
        if (frames->depth == 0)
            break;
    }
    frames_keep(frames, from, at);
    *at_ = at;
    return frames->depth == 0 && at > from;
}

/* ---- Server-sent events: lines ------------------------------------------------------------------------------------ */

/* The event in hand goes out; one that was too long does not. */
static bool frames_hand_out(lf__frames *frames, lf__frame_event *out)
{
    bool ok = !frames->event.failed && frames->event.length > 0;
    frames->dropped |= frames->event.failed;
    *out = (lf__frame_event){lf__buf_text(&frames->event), frames->is_error};
    frames->is_error = false;
    frames->taken = true;
    return ok;
}

static void frames_forget_taken(lf__frames *frames)
{
    if (frames->taken)
        lf__buf_clear(&frames->event);
    frames->taken = false;
}

/* An event that the server did not end goes out before another one begins. True: it does, and the line has to wait. */
static bool frames_make_way(lf__frames *frames, lf__frame_event *out)
{
    if (frames->is_bare || frames->event.length == 0)
        return false;
    frames->holds_line = frames_hand_out(frames, out);
    if (!frames->holds_line)
        frames_forget_taken(frames); /* it was too long */
    return frames->holds_line;
}

static bool frames_take_bare(lf__frames *frames, lf__text line, lf__frame_event *out)
{
    if (frames_make_way(frames, out))
        return true;
    const char *at = line.at;
    bool ended = frames_take_value(frames, &at, line.at + line.size);
    lf__buf_add(&frames->event, "\n", !ended);
    frames->is_bare = !ended;
    return ended && frames_hand_out(frames, out);
}

/* Of llama.cpp before autumn 2025: the line is all of the event. */
static bool frames_take_error(lf__frames *frames, lf__text value, lf__frame_event *out)
{
    if (frames_make_way(frames, out))
        return true;
    LF__BUF_ADD(&frames->event, "{\"error\":");
    lf__buf_add(&frames->event, value.at, value.size);
    LF__BUF_ADD(&frames->event, "}");
    frames->is_error = true;
    return frames_hand_out(frames, out);
}

static bool frames_take_field(lf__frames *frames, lf__text line, lf__frame_event *out)
{
    lf__text value = line, name = lf__text_take(&value, ':');
    if (value.at == NULL)
        value = (lf__text){"", 0};
    if (value.size > 0 && value.at[0] == ' ')
        value = lf__text_behind(value, 1);
    if (lf__text_equals(name, (lf__text)LF__TEXT("data"))) {
        lf__buf_add(&frames->event, "\n", frames->event.length > 0);
        lf__buf_add(&frames->event, value.at, value.size);
    } else if (lf__text_equals(name, (lf__text)LF__TEXT("event"))) {
        frames->is_error = lf__text_equals(value, (lf__text)LF__TEXT("error"));
    } else if (lf__text_equals(name, (lf__text)LF__TEXT("error"))) {
        return frames_take_error(frames, value, out);
    }
    return false;
}

/* True: an event ends with this line. */
static bool frames_take_line(lf__frames *frames, lf__text line, lf__frame_event *out)
{
    lf__text text = lf__text_trim(line, " \t");
    if (frames->is_bare || (text.size > 0 && text.at[0] == '{'))
        return frames_take_bare(frames, line, out);
    if (line.size == 0)
        return frames_hand_out(frames, out);
    return line.at[0] != ':' && frames_take_field(frames, line, out);
}

static const char *frames_line_end(const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *cr = memchr(at, '\r', (size_t)((lf == NULL ? end : lf) - at));
    return cr != NULL ? cr : lf;
}

/* A whole line. True: an event ends with it, or before it. */
static bool frames_end_line(lf__frames *frames, lf__text line, lf__frame_event *out)
{
    frames->holds_line = false;
    frames->dropped |= frames->line.failed;
    bool ended = !frames->line.failed && frames_take_line(frames, line, out);
    if (frames->holds_line && line.at != frames->line.data)
        lf__buf_add(&frames->line, line.at, line.size);
    if (!frames->holds_line)
        lf__buf_clear(&frames->line);
    if (!ended)
        frames_forget_taken(frames); /* there was nothing to hand out */
    return ended;
}

/* Take bytes up to the end of a line. False: there is none yet. */
static bool frames_find_line(lf__frames *frames, lf__text *out)
{
    const char *begin = frames->at;
    begin += frames->skips_lf && *begin == '\n';
    const char *end = frames_line_end(begin, frames->end);
    frames->skips_lf = end != NULL && *end == '\r';
    frames->at = end == NULL ? frames->end : end + 1;
    *out = (lf__text){begin, (size_t)((end == NULL ? frames->end : end) - begin)};
    if (end == NULL || frames->line.length > 0) {
        lf__buf_add(&frames->line, out->at, out->size);
        *out = lf__buf_text(&frames->line);
    }
    return end != NULL;
}

static bool frames_take_lines(lf__frames *frames, lf__frame_event *out)
{
    lf__text line;
    if (frames->holds_line && frames_end_line(frames, lf__buf_text(&frames->line), out))
        return true;
    while (frames->at < frames->end)
        if (frames_find_line(frames, &line) && frames_end_line(frames, line, out))
            return true;
    return false;
}

/* ---- Interface ---------------------------------------------------------------------------------------------------- */

bool lf__frames_take(lf__frames *frames, lf__frame_event *out)
{
    frames_forget_taken(frames);
    if (frames->framing == LF__FRAMING_SSE)
        return frames_take_lines(frames, out);
    if (frames->framing != LF__FRAMING_VALUES && frames->framing != LF__FRAMING_LIST)
        return false;
    while (frames->at < frames->end) {
        if (!frames_take_value(frames, &frames->at, frames->end))
            continue;
        if (frames_hand_out(frames, out))
            return true;
        frames_forget_taken(frames);
    }
    return false;
}

bool lf__frames_peek_line(const lf__frames *frames, lf__text *out)
{
    if (frames->framing != LF__FRAMING_VALUES || frames->depth > 0 || frames->at == frames->end)
        return false;
    const char *begin = frames->at + (*frames->at == '\n'), *end = memchr(begin, '\n', (size_t)(frames->end - begin));
    *out = (lf__text){begin, end == NULL ? 0 : (size_t)(end - begin)};
    return end != NULL;
}

void lf__frames_skip_line(lf__frames *frames, lf__text line)
{
    frames->at = line.at + line.size;
}

bool lf__frames_take_rest(lf__frames *frames, lf__frame_event *out)
{
    frames_forget_taken(frames);
    if (frames->framing == LF__FRAMING_SSE && frames->line.length > 0 && frames_end_line(frames, lf__buf_text(&frames->line), out))
        return true;
    lf__buf_clear(&frames->line);
    return frames_hand_out(frames, out);
}
