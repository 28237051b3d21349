/* The specification leaves all but the ISO forms to the engine. These are the rules of V8, which runs a real server: first the ISO
 * form is tried; what follows it, or all, is then taken token by token, and most of what means nothing is skipped. */
#include "js_date.h"

#include "clock.h"

typedef enum js_date_kind { JS_DATE_END, JS_DATE_NUMBER, JS_DATE_WORD, JS_DATE_SPACE, JS_DATE_SYMBOL } js_date_kind;
typedef enum js_date_meaning { JS_DATE_GARBAGE, JS_DATE_MONTH, JS_DATE_HALF_DAY, JS_DATE_ZONE, JS_DATE_SEPARATOR } js_date_meaning;

enum {
    JS_DATE_NONE = -1,
    JS_DATE_MAX_DIGITS = 9,     /* further ones of a number are skipped */
    JS_DATE_MAX_YEAR = 275760, /* of Date */
};

typedef struct js_date_token {
    js_date_kind kind;
    size_t size;
    int number;              /* of digits; the first three of a fraction are in `thousandths` */
    int thousandths;
    char symbol;
    js_date_meaning meaning; /* of a word, with its value */
    int value;
} js_date_token;

typedef struct js_date_reader {
    text rest;
    js_date_token next;
    int day[3], time[4];
    size_t day_count, time_count;
    int month;       /* by name; JS_DATE_NONE: there is none */
    int half_day;    /* hours that AM or PM adds */
    int zone_sign, zone_hour, zone_minute;
    bool is_iso, has_number;
} js_date_reader;

/* ---- Tokens ---- */

static bool js_date_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool js_date_is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void js_date_read_number(text in, js_date_token *out)
{
    int digits = 0, weight = 100;
    out->kind = JS_DATE_NUMBER;
    for (; out->size < in.size && js_date_is_digit(in.at[out->size]); out->size++) {
        int digit = in.at[out->size] - '0';
        out->thousandths += weight * digit;
        weight /= 10;
        if ((digits > 0 || digit > 0) && digits++ < JS_DATE_MAX_DIGITS)
            out->number = out->number * 10 + digit;
    }
}

/* Of a word the first three letters count; only names of months may be longer. */
static void js_date_read_word(text in, js_date_token *out)
{
    static const struct {
        char letters[4];
        js_date_meaning meaning;
        int value;
    } words[] = {
        {"jan", JS_DATE_MONTH, 1},   {"feb", JS_DATE_MONTH, 2},    {"mar", JS_DATE_MONTH, 3},   {"apr", JS_DATE_MONTH, 4},
        {"may", JS_DATE_MONTH, 5},   {"jun", JS_DATE_MONTH, 6},    {"jul", JS_DATE_MONTH, 7},   {"aug", JS_DATE_MONTH, 8},
        {"sep", JS_DATE_MONTH, 9},   {"oct", JS_DATE_MONTH, 10},   {"nov", JS_DATE_MONTH, 11},  {"dec", JS_DATE_MONTH, 12},
        {"am", JS_DATE_HALF_DAY, 0}, {"pm", JS_DATE_HALF_DAY, 12}, {"ut", JS_DATE_ZONE, 0},     {"utc", JS_DATE_ZONE, 0},
        {"z", JS_DATE_ZONE, 0},      {"gmt", JS_DATE_ZONE, 0},     {"cdt", JS_DATE_ZONE, -5},   {"cst", JS_DATE_ZONE, -6},
        {"edt", JS_DATE_ZONE, -4},   {"est", JS_DATE_ZONE, -5},    {"mdt", JS_DATE_ZONE, -6},   {"mst", JS_DATE_ZONE, -7},
        {"pdt", JS_DATE_ZONE, -7},   {"pst", JS_DATE_ZONE, -8},    {"t", JS_DATE_SEPARATOR, 0},
    };
    char letters[4] = "";
    out->kind = JS_DATE_WORD;
    for (; out->size < in.size && js_date_is_letter(in.at[out->size]); out->size++)
        if (out->size < 3)
            letters[out->size] = (char)(in.at[out->size] | 0x20);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!text_is(text_of(letters), words[i].letters) || (out->size > 3 && words[i].meaning != JS_DATE_MONTH))
            continue;
        out->meaning = words[i].meaning;
        out->value = words[i].value;
    }
}

/* Text in parentheses is a comment: a symbol without meaning. */
static void js_date_read_comment(text in, js_date_token *out)
{
    size_t depth = 0;
    *out = (js_date_token){.kind = JS_DATE_SYMBOL, .symbol = '('};
    do {
        char c = in.at[out->size++];
        depth += c == '(';
        depth -= c == ')';
    } while (depth > 0 && out->size < in.size);
}

static js_date_token js_date_take(js_date_reader *r)
{
    js_date_token taken = r->next;
    r->rest = text_from(r->rest, taken.size);
    r->next = (js_date_token){.kind = JS_DATE_END};
    if (r->rest.size == 0)
        return taken;
    char c = *r->rest.at;
    if (js_date_is_digit(c))
        js_date_read_number(r->rest, &r->next);
    else if (js_date_is_letter(c))
        js_date_read_word(r->rest, &r->next);
    else if (c == '(')
        js_date_read_comment(r->rest, &r->next);
    else if (c == ' ' || (c >= '\t' && c <= '\r'))
        r->next = (js_date_token){.kind = JS_DATE_SPACE, .size = 1};
    else
        r->next = (js_date_token){.kind = JS_DATE_SYMBOL, .size = 1, .symbol = c};
    return taken;
}

static bool js_date_skip(js_date_reader *r, char symbol)
{
    bool there = r->next.kind == JS_DATE_SYMBOL && r->next.symbol == symbol;
    if (there)
        js_date_take(r);
    return there;
}

static bool js_date_is_sign(const js_date_token *t)
{
    return t->kind == JS_DATE_SYMBOL && (t->symbol == '+' || t->symbol == '-');
}

static int js_date_sign_of(const js_date_token *t)
{
    return t->symbol == '-' ? -1 : 1;
}

static bool js_date_is_number(const js_date_token *t, size_t digits, int least, int most)
{
    return t->kind == JS_DATE_NUMBER && t->size == digits && t->number >= least && t->number <= most;
}

/* ---- Parts ---- */

static bool js_date_add_day(js_date_reader *r, int number)
{
    if (r->day_count == 3)
        return false;
    r->day[r->day_count++] = number;
    return true;
}

static bool js_date_add_time(js_date_reader *r, int number)
{
    if (r->time_count == 4)
        return false;
    r->time[r->time_count++] = number;
    return true;
}

static void js_date_end_time(js_date_reader *r)
{
    while (js_date_add_time(r, 0))
        ;
}

/* Behind an hour and so on, a number that fits is the next part. */
static bool js_date_expects_time(const js_date_reader *r, int number)
{
    static const int most[] = {-1, 59, 59, 999};
    return r->time_count < 4 && number <= most[r->time_count];
}

static void js_date_set_zone(js_date_reader *r, int sign, int hour, int minute)
{
    r->zone_sign = sign;
    r->zone_hour = hour;
    r->zone_minute = minute;
}

/* ---- The ISO form ---- */

static bool js_date_read_iso_zone(js_date_reader *r)
{
    js_date_token t = r->next;
    if (t.kind == JS_DATE_WORD && t.size == 1 && t.meaning == JS_DATE_ZONE) { /* Z */
        js_date_take(r);
        js_date_set_zone(r, 1, 0, 0);
        return true;
    }
    if (!js_date_is_sign(&t))
        return true;
    js_date_take(r);
    js_date_token hour = js_date_take(r);
    if (js_date_is_number(&hour, 4, 0, 2359) && hour.number % 100 <= 59) {
        js_date_set_zone(r, js_date_sign_of(&t), hour.number / 100, hour.number % 100);
        return true;
    }
    if (!js_date_is_number(&hour, 2, 0, 23) || !js_date_skip(r, ':') || !js_date_is_number(&r->next, 2, 0, 59))
        return false;
    js_date_set_zone(r, js_date_sign_of(&t), hour.number, js_date_take(r).number);
    return true;
}

/* Behind the T: nothing else is allowed there. */
static bool js_date_read_iso_time(js_date_reader *r)
{
    if (!js_date_is_number(&r->next, 2, 0, 24))
        return false;
    js_date_add_time(r, js_date_take(r).number);
    if (!js_date_skip(r, ':') || !js_date_is_number(&r->next, 2, 0, 59))
        return false;
    js_date_add_time(r, js_date_take(r).number);
    if (js_date_skip(r, ':')) {
        if (!js_date_is_number(&r->next, 2, 0, 59))
            return false;
        js_date_add_time(r, js_date_take(r).number);
        if (js_date_skip(r, '.')) {
            if (r->next.kind != JS_DATE_NUMBER)
                return false;
            js_date_add_time(r, js_date_take(r).thousandths);
        }
    }
    js_date_end_time(r);
    return js_date_read_iso_zone(r) && r->next.kind == JS_DATE_END;
}

/* Reads what has the form of an ISO date. False: a time behind it is wrong. */
static bool js_date_read_iso(js_date_reader *r)
{
    js_date_reader before = *r;
    int sign = 1;
    if (js_date_is_sign(&r->next)) {
        sign = js_date_sign_of(&r->next);
        js_date_take(r);
    }
    size_t digits = before.next.kind == JS_DATE_NUMBER ? 4 : 6;
    if (!js_date_is_number(&r->next, digits, 0, 999999) || (sign < 0 && r->next.number == 0)) {
        *r = before;
        return true;
    }
    js_date_add_day(r, sign * js_date_take(r).number);
    for (int most = 12; most != 0 && js_date_skip(r, '-'); most = most == 12 ? 31 : 0) {
        if (!js_date_is_number(&r->next, 2, 1, most))
            return true; /* the rest goes on as another form */
        js_date_add_day(r, js_date_take(r).number);
    }
    bool has_time = r->next.kind == JS_DATE_WORD && r->next.meaning == JS_DATE_SEPARATOR;
    if (has_time) {
        js_date_take(r);
        if (!js_date_read_iso_time(r))
            return false;
    }
    r->is_iso = r->next.kind == JS_DATE_END;
    return true;
}

/* ---- Other forms ---- */

static bool js_date_take_number(js_date_reader *r, int number)
{
    r->has_number = true;
    if (js_date_skip(r, ':')) {
        if (js_date_skip(r, ':'))
            return r->time_count == 0 && js_date_add_time(r, number) && js_date_add_time(r, 0);
        bool added = js_date_add_time(r, number);
        js_date_skip(r, '.');
        return added;
    }
    if (js_date_skip(r, '.') && js_date_expects_time(r, number)) {
        js_date_add_time(r, number);
        if (r->next.kind != JS_DATE_NUMBER)
            return false;
        js_date_add_time(r, js_date_take(r).thousandths);
        js_date_end_time(r);
        return true;
    }
    if (r->zone_hour != JS_DATE_NONE && r->zone_minute == JS_DATE_NONE && number <= 59) {
        r->zone_minute = number;
        return true;
    }
    if (js_date_expects_time(r, number)) {
        js_date_add_time(r, number);
        js_date_end_time(r);
        const js_date_token *t = &r->next;
        return t->kind == JS_DATE_END || t->kind == JS_DATE_SPACE || js_date_is_sign(t) ||
               (t->kind == JS_DATE_WORD && t->size == 1 && t->meaning == JS_DATE_ZONE);
    }
    bool added = js_date_add_day(r, number);
    js_date_skip(r, '-');
    return added;
}

/* Words that mean nothing may stand before the first number. */
static bool js_date_take_word(js_date_reader *r, const js_date_token *word)
{
    if (word->meaning == JS_DATE_HALF_DAY && r->time_count > 0) {
        r->half_day = word->value;
    } else if (word->meaning == JS_DATE_MONTH) {
        r->month = word->value;
        js_date_skip(r, '-');
    } else if (word->meaning == JS_DATE_ZONE && r->has_number) {
        js_date_set_zone(r, word->value < 0 ? -1 : 1, word->value < 0 ? -word->value : word->value, 0);
    } else {
        return !r->has_number && r->next.kind != JS_DATE_NUMBER;
    }
    return true;
}

static bool js_date_take_offset(js_date_reader *r, int sign)
{
    js_date_token hour = {0};
    if (r->next.kind == JS_DATE_NUMBER)
        hour = js_date_take(r);
    r->has_number = true;
    if (r->next.kind == JS_DATE_SYMBOL && r->next.symbol == ':')
        js_date_set_zone(r, sign, hour.number, JS_DATE_NONE);
    else if (hour.size == 1 || hour.size == 2)
        js_date_set_zone(r, sign, hour.number, 0);
    else if (hour.size == 3 || hour.size == 4)
        js_date_set_zone(r, sign, hour.number / 100, hour.number % 100);
    else
        return false;
    return true;
}

static bool js_date_take_one(js_date_reader *r)
{
    js_date_token t = js_date_take(r);
    bool utc = r->zone_hour == 0 && r->zone_minute == 0;
    if (t.kind == JS_DATE_NUMBER)
        return js_date_take_number(r, t.number);
    if (t.kind == JS_DATE_WORD)
        return js_date_take_word(r, &t);
    if (js_date_is_sign(&t) && (utc || r->time_count > 0))
        return js_date_take_offset(r, js_date_sign_of(&t));
    return !(r->has_number && (js_date_is_sign(&t) || (t.kind == JS_DATE_SYMBOL && t.symbol == ')')));
}

/* ---- The result ---- */

static bool js_date_is_day(int number)
{
    return number >= 1 && number <= 31;
}

/* Which number is the year, the month and the day depends on their sizes. */
static bool js_date_order(js_date_reader *r, int *year, int *month, int *day)
{
    int given[3] = {1, 1, 1};
    if (r->day_count == 0)
        return false;
    for (size_t i = 0; i < r->day_count; i++)
        given[i] = r->day[i];
    bool year_first = r->is_iso || !js_date_is_day(given[0]);
    if (r->month != JS_DATE_NONE) {
        *month = r->month;
        *year = year_first ? given[0] : given[1];
        *day = year_first ? given[1] : given[0];
    } else {
        *year = year_first ? given[0] : given[2];
        *month = year_first ? given[1] : given[0];
        *day = year_first ? given[2] : given[1];
    }
    if (!r->is_iso && *year >= 0 && *year <= 99)
        *year += *year <= 49 ? 2000 : 1900;
    return *month >= 1 && *month <= 12 && js_date_is_day(*day);
}

static bool js_date_order_time(js_date_reader *r, int64_t *out_ms)
{
    js_date_end_time(r);
    int hour = r->time[0];
    if (r->half_day != JS_DATE_NONE) {
        if (hour > 12)
            return false;
        hour = hour % 12 + r->half_day;
    }
    *out_ms = ((hour * INT64_C(60) + r->time[1]) * 60 + r->time[2]) * 1000 + r->time[3];
    bool midnight = hour == 24 && r->time[1] == 0 && r->time[2] == 0 && r->time[3] == 0;
    return midnight || (hour <= 23 && r->time[1] <= 59 && r->time[2] <= 59 && r->time[3] <= 999);
}

bool js_date_parse(text given, int64_t *out_ms)
{
    const int64_t limit = INT64_C(8640000000000000); /* of Date, either way */
    js_date_reader r = {
        .rest = given, .month = JS_DATE_NONE, .half_day = JS_DATE_NONE, .zone_hour = JS_DATE_NONE, .zone_minute = JS_DATE_NONE};
    int year, month, day;
    int64_t time_ms, zone = 0;
    js_date_take(&r);
    if (!js_date_read_iso(&r))
        return false;
    r.has_number = r.day_count > 0;
    while (r.next.kind != JS_DATE_END)
        if (!js_date_take_one(&r))
            return false;
    if (!js_date_order(&r, &year, &month, &day) || !js_date_order_time(&r, &time_ms))
        return false;
    if (year > JS_DATE_MAX_YEAR || year < -JS_DATE_MAX_YEAR) /* before a product overflows */
        return false;
    if (r.zone_sign != 0)
        zone = r.zone_sign * ((r.zone_hour > 0 ? r.zone_hour : INT64_C(0)) * 60 + (r.zone_minute > 0 ? r.zone_minute : 0));
    *out_ms = clock_ms_of_day(year, month, day) + time_ms - zone * 60000;
    return *out_ms >= -limit && *out_ms <= limit;
}
