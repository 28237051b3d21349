#include "value.h"

#include "json.h"
#include "python.h"
#include "real.h"

#include <cjson/cJSON.h>

/* Beyond it JSON has integers as strings of digits: the server's and the browser's parsers read doubles. */
#define VALUE_MAX_INT ((uint64_t)9007199254740991)

_Atomic uint64_t lf__refused;

void lf__refuse(void)
{
    atomic_fetch_add_explicit(&lf__refused, 1, memory_order_relaxed);
}

static bool value_is_possible(const lf_value *value)
{
    switch ((lf_kind)value->kind) {
    case LF_KIND_STRING: return lf__size_is_possible(value->extra);
    case LF_KIND_JSON: return value->extra == SIZE_MAX || lf__size_is_possible(value->extra);
    case LF_KIND_ARRAY: return value->extra == 0 || (value->element_size != 0 && value->extra <= PTRDIFF_MAX / value->element_size);
    case LF_KIND_LIST: return value->extra <= PTRDIFF_MAX / sizeof(lf_value);
    case LF_KIND_OBJECT: return value->extra <= PTRDIFF_MAX / sizeof(lf_member);
    default: return value->kind <= LF_KIND_OPAQUE;
    }
}

bool lf__value_is_refused(const lf_value *value)
{
    bool refused = !value_is_possible(value);
    if (refused)
        lf__refuse();
    return refused;
}

typedef struct value_writer {
    lf__buf *out;
    bool python;    /* the spelling: Python's, otherwise JSON */
    unsigned depth; /* lists and objects that are open */
} value_writer;

/* ---- Spellings -------------------------------------------------------------------------------------------------- */

static void value_add_null(const value_writer *to)
{
    lf__buf_add_text(to->out, !to->python ? "null" : to->depth > 0 ? "None" : "");
}

static void value_add_bool(const value_writer *to, bool value)
{
    if (to->python)
        lf__buf_add_text(to->out, value ? "True" : "False");
    else
        lf__buf_add_text(to->out, value ? "true" : "false");
}

/* Text of no address is null. */
static void value_add_text(const value_writer *to, const char *text, size_t size)
{
    if (text == NULL)
        value_add_null(to);
    else if (to->python)
        lf__python_text(to->out, text, size, to->depth > 0);
    else
        lf__json_string(to->out, text, size);
}

static void value_add_cstring(const value_writer *to, const char *text)
{
    value_add_text(to, text, text == NULL ? 0 : strlen(text));
}

/* Text that claims to be JSON and is not is text. */
static void value_add_json(const value_writer *to, const char *text, size_t size)
{
    if (text == NULL || !lf__json_valid(text, size))
        value_add_text(to, text, size);
    else if (to->python)
        lf__python_json(to->out, text, size, to->depth > 0);
    else
        lf__buf_add(to->out, text, size);
}

static void value_add_real(const value_writer *to, uint64_t bits, bool is_float)
{
    if (to->python)
        lf__python_real(to->out, bits, is_float);
    else if (is_float)
        lf__json_float(to->out, bits);
    else
        lf__json_double(to->out, bits);
}

/* An integer of 128 bits, in two's complement. */
static void value_add_digits(lf__buf *out, uint64_t high, uint64_t low, bool is_signed)
{
    if (high == 0)
        lf__json_uint(out, low);
    else if (is_signed && high == UINT64_MAX && low > INT64_MAX)
        lf__json_int(out, (int64_t)low);
    else
        lf__json_int128(out, high, low, is_signed);
}

static void value_add_integer(const value_writer *to, uint64_t high, uint64_t low, bool is_signed)
{
    bool is_exact = high == 0 ? low <= VALUE_MAX_INT : is_signed && high == UINT64_MAX && low >= 0 - VALUE_MAX_INT;
    if (to->python || is_exact) {
        value_add_digits(to->out, high, low, is_signed);
        return;
    }
    char memory[64];
    lf__buf digits;
    lf__buf_over(&digits, memory, sizeof memory);
    value_add_digits(&digits, high, low, is_signed);
    lf__json_string(to->out, digits.data, digits.length);
}

static void value_add_pointer(const value_writer *to, const void *pointer)
{
    char text[2 + 2 * sizeof pointer], *end = text + sizeof text, *at = end;
    for (uintptr_t rest = (uintptr_t)pointer; rest != 0; rest >>= 4)
        *--at = "0123456789abcdef"[rest & 15];
    *--at = 'x';
    *--at = '0';
    value_add_text(to, pointer == NULL ? NULL : at, (size_t)(end - at));
}

static void value_add_opaque(const value_writer *to, uint64_t size)
{
    char memory[32];
    lf__buf text;
    lf__buf_over(&text, memory, sizeof memory);
    lf__buf_add_char(&text, '<');
    lf__json_uint(&text, size);
    lf__buf_add_text(&text, " bytes>");
    value_add_text(to, text.data, text.length);
}

static void value_open(value_writer *to, char bracket)
{
    lf__buf_add_char(to->out, bracket);
    to->depth++;
}

static void value_close(value_writer *to, char bracket)
{
    lf__buf_add_char(to->out, bracket);
    to->depth--;
}

/* Behind a comma or a colon Python has a blank. */
static void value_add_mark(const value_writer *to, char mark)
{
    lf__buf_add_char(to->out, mark);
    if (to->python)
        lf__buf_add_char(to->out, ' ');
}

static void value_add_key(const value_writer *to, const char *name)
{
    value_add_text(to, name, strlen(name));
    value_add_mark(to, ':');
}

/* ---- The walk --------------------------------------------------------------------------------------------------- */

static void value_add_cjson(value_writer *to, const cJSON *item);

static void value_add_children(value_writer *to, const cJSON *item, bool named)
{
    value_open(to, named ? '{' : '[');
    for (const cJSON *child = item->child; child != NULL && !to->out->failed; child = child->next) {
        if (child != item->child)
            value_add_mark(to, ',');
        if (named)
            value_add_key(to, child->string == NULL ? "" : child->string);
        value_add_cjson(to, child);
    }
    value_close(to, named ? '}' : ']');
}

/* cJSON holds every number as a double; whole ones are integers, as in its own printer. */
static void value_add_cjson_number(const value_writer *to, uint64_t bits)
{
    int64_t whole;
    if (lf__real_is_whole(bits, &whole))
        lf__json_int(to->out, whole);
    else
        value_add_real(to, bits, false);
}

static void value_add_cjson(value_writer *to, const cJSON *item)
{
    int type = item == NULL || to->depth > LF__VALUE_MAX_DEPTH ? cJSON_NULL : item->type & 0xff;
    switch (type) {
    case cJSON_False:
    case cJSON_True: value_add_bool(to, type == cJSON_True); break;
    case cJSON_Number: value_add_cjson_number(to, lf__real_bits(item->valuedouble)); break;
    case cJSON_String: value_add_cstring(to, item->valuestring); break;
    case cJSON_Array:
    case cJSON_Object: value_add_children(to, item, type == cJSON_Object); break;
    case cJSON_Raw: value_add_json(to, item->valuestring, item->valuestring == NULL ? 0 : strlen(item->valuestring)); break;
    default: value_add_null(to); break;
    }
}

/* The low bytes of a number in the machine's byte order, extended to 64 bits. */
static uint64_t value_extended(const void *number, size_t size, bool is_signed)
{
    uint64_t word = 0;
    unsigned unused = 64 - 8 * (unsigned)size;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    memcpy(&word, number, size);
#else
    memcpy((char *)&word + sizeof word - size, number, size);
#endif
    return is_signed ? (uint64_t)((int64_t)(word << unused) >> unused) : word;
}

/* No more of an element is read than there is: what lf_array takes for pointers may be structs of any size. */
static void value_add_element(const value_writer *to, const lf_value *array, uint64_t i)
{
    const char *at = (const char *)array->as.p + i * array->element_size;
    size_t size = array->element_size < sizeof(int64_t) ? array->element_size : sizeof(int64_t);
    bool is_signed = array->element == LF_KIND_INT || (array->element == LF_KIND_CHAR && (char)-1 < 0);
    uint64_t word = size == 0 ? 0 : value_extended(at, size, is_signed);
    const void *p = NULL;
    switch (to->depth > LF__VALUE_MAX_DEPTH ? LF_KIND_NULL : array->element) {
    case LF_KIND_BOOL: value_add_bool(to, word != 0); break;
    case LF_KIND_INT: value_add_integer(to, word > INT64_MAX ? UINT64_MAX : 0, word, true); break;
    case LF_KIND_UINT: value_add_integer(to, 0, word, false); break;
    case LF_KIND_FLOAT: value_add_real(to, lf__real_of_float((uint32_t)word), true); break;
    case LF_KIND_DOUBLE: value_add_real(to, word, false); break;
    case LF_KIND_CHAR: value_add_text(to, (char[]){(char)word}, 1); break;
    case LF_KIND_CSTRING:
    case LF_KIND_POINTER:
        if (array->element_size != sizeof p) {
            value_add_opaque(to, array->element_size);
            break;
        }
        memcpy(&p, at, sizeof p);
        if (array->element == LF_KIND_CSTRING)
            value_add_cstring(to, p);
        else
            value_add_pointer(to, p);
        break;
    default: value_add_null(to); break; /* of other kinds there are no arrays */
    }
}

static void value_add(value_writer *to, const lf_value *value);

static void value_add_sequence(value_writer *to, const lf_value *value)
{
    const lf_value *list = value->as.p;
    value_open(to, '[');
    for (uint64_t i = 0; i < value->extra && list != NULL && !to->out->failed; i++) {
        if (i > 0)
            value_add_mark(to, ',');
        if (value->kind == LF_KIND_LIST)
            value_add(to, &list[i]);
        else
            value_add_element(to, value, i);
    }
    value_close(to, ']');
}

static void value_add_object(value_writer *to, const lf_value *value)
{
    const lf_member *members = value->as.p;
    bool is_first = true;
    value_open(to, '{');
    for (uint64_t i = 0; i < value->extra && members != NULL && !to->out->failed; i++) {
        if (members[i].name == NULL || members[i].value.kind == LF_KIND_UNSET)
            continue;
        if (!is_first)
            value_add_mark(to, ',');
        value_add_key(to, members[i].name);
        value_add(to, &members[i].value);
        is_first = false;
    }
    value_close(to, '}');
}

static void value_add(value_writer *to, const lf_value *value)
{
    const void *p = value->as.p;
    /* Kinds up to LF_KIND_CSTRING have no size that could be impossible. */
    if (to->depth > LF__VALUE_MAX_DEPTH || (value->kind > LF_KIND_CSTRING && lf__value_is_refused(value))) {
        value_add_null(to);
        return;
    }
    switch ((lf_kind)value->kind) {
    case LF_KIND_UNSET:
    case LF_KIND_NULL: value_add_null(to); break;
    case LF_KIND_BOOL: value_add_bool(to, value->as.u != 0); break;
    case LF_KIND_INT: value_add_integer(to, value->as.i < 0 ? UINT64_MAX : 0, value->as.u, true); break;
    case LF_KIND_UINT: value_add_integer(to, 0, value->as.u, false); break;
    case LF_KIND_INT128:
    case LF_KIND_UINT128: value_add_integer(to, value->extra, value->as.u, value->kind == LF_KIND_INT128); break;
    case LF_KIND_FLOAT:
    case LF_KIND_DOUBLE: value_add_real(to, value->as.u, value->kind == LF_KIND_FLOAT); break;
    case LF_KIND_CHAR: value_add_text(to, (char[]){(char)value->as.i}, 1); break;
    case LF_KIND_CSTRING: value_add_cstring(to, p); break;
    case LF_KIND_STRING: value_add_text(to, p, (size_t)value->extra); break;
    case LF_KIND_JSON: value_add_json(to, p, p == NULL ? 0 : lf__value_json_size(value)); break;
    case LF_KIND_POINTER: value_add_pointer(to, p); break;
    case LF_KIND_CJSON: value_add_cjson(to, p); break;
    case LF_KIND_ARRAY:
        if (p == NULL && to->python) /* JSON has an empty list for it */
            value_add_null(to);
        else
            value_add_sequence(to, value);
        break;
    case LF_KIND_LIST: value_add_sequence(to, value); break;
    case LF_KIND_OBJECT: value_add_object(to, value); break;
    case LF_KIND_SECRET: value_add_cstring(to, "<secret>"); break;
    case LF_KIND_OPAQUE: value_add_opaque(to, value->extra); break;
    }
}

bool lf__value_json(lf__buf *out, const lf_value *value)
{
    value_add(&(value_writer){.out = out}, value);
    return !out->failed;
}

bool lf__value_python(lf__buf *out, const lf_value *value)
{
    value_add(&(value_writer){.out = out, .python = true}, value);
    return !out->failed;
}
