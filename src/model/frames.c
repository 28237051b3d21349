#include "frames.h"

#include "../base/json.h"

static const char frames_mark[] = "\xEF\xBB\xBF"; /* the byte order mark */

void lf__frames_init(lf__frames *frames, bool counts_vectors)
{
    *frames = (lf__frames){.counts_vectors = counts_vectors};
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
static lf__framing frames_by(lf__text line)
{
    static const char *const fields[] = {"data:", "event:", "id:", "retry:", "error:", ":"};
    if (line.at[0] == '{')
        return LF__FRAMING_VALUES;
    if (line.at[0] == '[')
        return LF__FRAMING_LIST;
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
        frames->framing = frames_by(lf__buf_text(&frames->line));
    }
    if (frames->framing != LF__FRAMING_VALUES && frames->framing != LF__FRAMING_LIST)
        return;
    lf__buf_clear(&frames->line);
    frames->at -= frames->framing == LF__FRAMING_VALUES; /* the brace belongs to the value */
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
    while (frames->depth == 0 && at < end && *at != '{')
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

static bool frames_take_bare(lf__frames *frames, lf__text line, lf__frame_event *out)
{
    const char *at = line.at;
    bool ended = frames_take_value(frames, &at, line.at + line.size);
    LF__BUF_ADD(&frames->event, "\n");
    frames->is_bare = !ended;
    return ended && frames_hand_out(frames, out);
}

static void frames_take_field(lf__frames *frames, lf__text line)
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
    } else if (lf__text_equals(name, (lf__text)LF__TEXT("error"))) { /* of llama.cpp before autumn 2025 */
        lf__buf_clear(&frames->event);
        LF__BUF_ADD(&frames->event, "{\"error\":");
        lf__buf_add(&frames->event, value.at, value.size);
        LF__BUF_ADD(&frames->event, "}");
        frames->is_error = true;
    }
}

/* True: an event ends with this line. */
static bool frames_take_line(lf__frames *frames, lf__text line, lf__frame_event *out)
{
    lf__text text = lf__text_trim(line, " \t");
    if (frames->is_bare || (text.size > 0 && text.at[0] == '{'))
        return frames_take_bare(frames, line, out);
    if (line.size == 0)
        return frames_hand_out(frames, out);
    if (line.at[0] != ':')
        frames_take_field(frames, line);
    return false;
}

static const char *frames_line_end(const char *at, const char *end)
{
    const char *lf = memchr(at, '\n', (size_t)(end - at));
    const char *cr = memchr(at, '\r', (size_t)((lf == NULL ? end : lf) - at));
    return cr != NULL ? cr : lf;
}

static bool frames_take_lines(lf__frames *frames, lf__frame_event *out)
{
    while (frames->at < frames->end) {
        const char *begin = frames->at;
        if (frames->skips_lf && *begin == '\n')
            begin++;
        frames->skips_lf = false;
        const char *end = frames_line_end(begin, frames->end);
        if (end == NULL) {
            lf__buf_add(&frames->line, begin, (size_t)(frames->end - begin));
            frames->at = frames->end;
            return false;
        }
        frames->at = end + 1;
        frames->skips_lf = *end == '\r';
        lf__text line = {begin, (size_t)(end - begin)};
        if (frames->line.length > 0) {
            lf__buf_add(&frames->line, line.at, line.size);
            line = lf__buf_text(&frames->line);
        }
        frames->dropped |= frames->line.failed;
        bool ended = !frames->line.failed && frames_take_line(frames, line, out);
        lf__buf_clear(&frames->line);
        if (ended)
            return true;
        if (frames->taken) /* there was nothing to hand out */
            lf__buf_clear(&frames->event);
        frames->taken = false;
    }
    return false;
}

/* ---- Interface ---------------------------------------------------------------------------------------------------- */

static void frames_forget_taken(lf__frames *frames)
{
    if (frames->taken)
        lf__buf_clear(&frames->event);
    frames->taken = false;
}

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

bool lf__frames_take_rest(lf__frames *frames, lf__frame_event *out)
{
    frames_forget_taken(frames);
    if (frames->framing == LF__FRAMING_SSE && frames->line.length > 0 && !frames->line.failed &&
        frames_take_line(frames, lf__buf_text(&frames->line), out))
        return true;
    lf__buf_clear(&frames->line);
    return frames_hand_out(frames, out);
}
