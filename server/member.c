#include "member.h"

#include "clock.h"

void member_text(buf *out, const char *name, text value)
{
    json_put_key(out, name);
    json_put_string(out, value);
}

void member_or_null(buf *out, const char *name, text value)
{
    if (value.at != NULL)
        member_text(out, name, value);
    else
        member_raw(out, name, "null");
}

void member_unless_empty(buf *out, const char *name, text value)
{
    member_or_null(out, name, text_unless_empty(value));
}

void member_raw(buf *out, const char *name, const char *value)
{
    json_put_key(out, name);
    buf_string(out, value);
}

void member_json(buf *out, const char *name, text value)
{
    json_put_key(out, name);
    buf_text(out, value);
}

void member_bool(buf *out, const char *name, bool value)
{
    member_raw(out, name, value ? "true" : "false");
}

void member_iso(buf *out, const char *name, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_iso(ms, iso);
    member_text(out, name, text_of(iso));
}

void member_iso_if(buf *out, bool known, const char *name, int64_t ms)
{
    if (known)
        member_iso(out, name, ms);
    else
        member_raw(out, name, "null");
}

void member_tier(buf *out, text model_id, text tier)
{
    buf id = {0};
    buf_text(&id, model_id);
    buf_char(&id, '/');
    buf_text(&id, tier);
    out->failed |= id.failed;
    member_unless_empty(out, "usagePricingTierId", tier.size > 0 ? buf_view(&id) : tier);
    member_unless_empty(out, "usagePricingTierName", tier);
    buf_free(&id);
}

void member_number(buf *out, const char *name, double value)
{
    json_put_key(out, name);
    json_put_number(out, value);
}

void member_number_if(buf *out, bool known, const char *name, double value)
{
    if (known)
        member_number(out, name, value);
    else
        member_raw(out, name, "null");
}

void member_seconds_if(buf *out, bool known, const char *name, int64_t from_ms, int64_t to_ms)
{
    member_number_if(out, known, name, known ? (double)(to_ms - from_ms) / 1000 : 0);
}

void member_parsed(buf *out, arena *a, const char *name, text value)
{
    json_put_key(out, name);
    if (value.at != NULL)
        json_put_parsed(out, a, value);
    else
        buf_string(out, "null");
}

void member_metadata(buf *out, arena *a, text stored)
{
    const json *object = json_parse(a, stored);
    json_put_key(out, "metadata");
    buf_char(out, '{');
    for (const json *member = json_first(object, JSON_OBJECT); member != NULL; member = member->next) {
        json_put_name(out, member->key);
        if (member->kind == JSON_STRING)
            json_put_parsed(out, a, member->string);
        else
            json_write(out, member);
    }
    buf_char(out, '}');
}
