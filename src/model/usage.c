#include "usage.h"

#include "../base/json.h"

#include <string.h>

enum {
    USAGE_KEY_MAX = 64,    /* bytes; longer keys have no meaning here */
    USAGE_DIGITS_MAX = 13, /* of a count: a double is exact for a sum of them */
    USAGE_COST_MAX = 64    /* bytes of a cost */
};

/* Counts that are collected. */
typedef enum usage_slot {
    /* These become part of others. */
    USAGE_TOOL_USE,
    USAGE_CACHE_N,
    USAGE_AUDIO_LISTED,
    USAGE_AUDIO_CACHED,
    /* These leave, in this order. */
    USAGE_INPUT,
    USAGE_OUTPUT,
    USAGE_TOTAL,
    USAGE_CACHED, /* the first of the caches */
    USAGE_CREATION,
    USAGE_CREATION_5M,
    USAGE_CREATION_1H, /* the last of them */
    USAGE_REASONING,
    USAGE_INPUT_AUDIO, /* then text, then image: usage_split counts on it */
    USAGE_INPUT_TEXT,
    USAGE_INPUT_IMAGE,
    USAGE_OUTPUT_AUDIO,
    USAGE_OUTPUT_TEXT,
    USAGE_OUTPUT_IMAGE,
    USAGE_OTHERS, /* no API reports those that follow; programs do, in Langfuse's words */
    USAGE_QUERIES = USAGE_OTHERS + 12, /* these two are no tokens */
    USAGE_SLOTS = USAGE_QUERIES + 2
} usage_slot;

static const char *const usage_names[USAGE_SLOTS] = {
    [USAGE_INPUT] = "input",
    [USAGE_OUTPUT] = "output",
    [USAGE_TOTAL] = "total",
    [USAGE_CACHED] = "input_cached_tokens",
    [USAGE_CREATION] = "input_cache_creation",
    [USAGE_CREATION_5M] = "input_cache_creation_5m",
    [USAGE_CREATION_1H] = "input_cache_creation_1h",
    [USAGE_REASONING] = "output_reasoning_tokens",
    [USAGE_INPUT_AUDIO] = "input_audio_tokens",
    [USAGE_INPUT_TEXT] = "input_text_tokens",
    [USAGE_INPUT_IMAGE] = "input_image_tokens",
    [USAGE_OUTPUT_AUDIO] = "output_audio_tokens",
    [USAGE_OUTPUT_TEXT] = "output_text_tokens",
    [USAGE_OUTPUT_IMAGE] = "output_image_tokens",
    [USAGE_OTHERS] = "input_cache_read",
    "cache_write_tokens",
    "input_cached_text_tokens",
    "input_cached_audio_tokens",
    "input_text",
    "input_audio",
    "input_image",
    "input_modality_1",
    "output_text",
    "output_audio",
    "output_reasoning",
    "output_modality_1",
    [USAGE_QUERIES] = "grounding_queries",
    "web_search_queries",
};

typedef enum usage_cost { USAGE_INPUT_COST, USAGE_OUTPUT_COST, USAGE_TOTAL_COST, USAGE_COSTS } usage_cost;

static const char *const usage_cost_names[USAGE_COSTS] = {"input", "output", "total"};

/* The objects in which a key has its meaning. */
enum {
    USAGE_TOP = 1 << 0,
    USAGE_PROMPT = 1 << 1, /* details of OpenAI's chat */
    USAGE_COMPLETION = 1 << 2,
    USAGE_IN = 1 << 3, /* details of Responses, images, sound; of LangChain and the AI SDK */
    USAGE_OUT = 1 << 4,
    USAGE_CACHE = 1 << 5,
    USAGE_TIMINGS = 1 << 6,
    USAGE_BILLED = 1 << 7,
    USAGE_UNBILLED = 1 << 8,
    USAGE_PRICES = 1 << 9,
    USAGE_IN_SIDE = USAGE_PROMPT | USAGE_IN,
    USAGE_OUT_SIDE = USAGE_COMPLETION | USAGE_OUT
};

/* What a member says. Of a count that is reported twice, the greater of two ways holds. */
enum {
    USAGE_SPARE = 1, /* part of its side, or a side itself; other reports of the same count win */
    USAGE_OWN,       /* Langfuse's word: counted nowhere else */
    USAGE_BESIDE,    /* counted nowhere else, or a side itself */
    USAGE_PART,      /* counted in its side as well, from which it is taken off */
    USAGE_COST,
    USAGE_OBJECT, /* `slot` is the object's bit */
    USAGE_LIST,   /* Gemini's tokens by modality */
    USAGE_WAYS = 0xf,
    USAGE_ADDS_UP = 0x10, /* the API reports no total: it is the sum */
    USAGE_NOT_0 = 0x20    /* 0 says nothing */
};

typedef struct usage_row {
    const char *key; /* in snake_case */
    uint16_t place;
    uint16_t slot;
    uint8_t way;
} usage_row;

static const usage_row usage_rows[] = {
    /* OpenAI, and what speaks its dialects; LangChain; Bedrock and the AI SDK in camelCase; Anthropic. */
    {"prompt_tokens", USAGE_TOP, USAGE_INPUT, USAGE_BESIDE},
    {"completion_tokens", USAGE_TOP, USAGE_OUTPUT, USAGE_BESIDE},
    {"total_tokens", USAGE_TOP, USAGE_TOTAL, USAGE_BESIDE},
    {"input_tokens", USAGE_TOP | USAGE_BILLED, USAGE_INPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"output_tokens", USAGE_TOP | USAGE_BILLED, USAGE_OUTPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"input_token_count", USAGE_TOP, USAGE_INPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"output_token_count", USAGE_TOP, USAGE_OUTPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"prompt_tokens_details", USAGE_TOP, USAGE_PROMPT, USAGE_OBJECT},
    {"completion_tokens_details", USAGE_TOP, USAGE_COMPLETION, USAGE_OBJECT},
    {"input_tokens_details", USAGE_TOP, USAGE_IN, USAGE_OBJECT},
    {"input_token_details", USAGE_TOP, USAGE_IN, USAGE_OBJECT},
    {"output_tokens_details", USAGE_TOP, USAGE_OUT, USAGE_OBJECT},
    {"output_token_details", USAGE_TOP, USAGE_OUT, USAGE_OBJECT},
    {"cached_tokens", USAGE_IN_SIDE, USAGE_CACHED, USAGE_PART},
    {"cache_read", USAGE_IN_SIDE, USAGE_CACHED, USAGE_PART},
    {"cache_read_tokens", USAGE_IN_SIDE, USAGE_CACHED, USAGE_PART},
    {"cache_write_tokens", USAGE_IN_SIDE, USAGE_CREATION, USAGE_PART},
    {"cache_creation", USAGE_IN_SIDE, USAGE_CREATION, USAGE_PART},
    {"cache_creation_tokens", USAGE_IN_SIDE, USAGE_CREATION, USAGE_PART},
    {"ephemeral_5m_input_tokens", USAGE_IN_SIDE, USAGE_CREATION_5M, USAGE_PART},
    {"ephemeral_1h_input_tokens", USAGE_IN_SIDE, USAGE_CREATION_1H, USAGE_PART},
    {"audio_tokens", USAGE_IN_SIDE, USAGE_INPUT_AUDIO, USAGE_PART},
    {"audio", USAGE_IN_SIDE, USAGE_INPUT_AUDIO, USAGE_PART},
    {"text_tokens", USAGE_IN_SIDE, USAGE_INPUT_TEXT, USAGE_PART},
    {"image_tokens", USAGE_IN, USAGE_INPUT_IMAGE, USAGE_PART}, /* chat's have no price of their own */
    {"reasoning_tokens", USAGE_OUT_SIDE, USAGE_REASONING, USAGE_PART},
    {"reasoning", USAGE_OUT_SIDE, USAGE_REASONING, USAGE_PART},
    {"audio_tokens", USAGE_OUT_SIDE, USAGE_OUTPUT_AUDIO, USAGE_PART},
    {"audio", USAGE_OUT_SIDE, USAGE_OUTPUT_AUDIO, USAGE_PART},
    {"text_tokens", USAGE_OUT_SIDE, USAGE_OUTPUT_TEXT, USAGE_PART},
    {"image_tokens", USAGE_OUT, USAGE_OUTPUT_IMAGE, USAGE_PART},
    /* DeepSeek, Moonshot, Mistral, the AI SDK. */
    {"prompt_cache_hit_tokens", USAGE_TOP, USAGE_CACHED, USAGE_SPARE},
    {"cached_tokens", USAGE_TOP, USAGE_CACHED, USAGE_SPARE},
    {"num_cached_tokens", USAGE_TOP, USAGE_CACHED, USAGE_SPARE},
    {"cached_input_tokens", USAGE_TOP, USAGE_CACHED, USAGE_SPARE},
    {"reasoning_tokens", USAGE_TOP, USAGE_REASONING, USAGE_SPARE},
    /* Anthropic, Bedrock: what the caches have is not in the input, what was thought is in the output. */
    {"cache_read_input_tokens", USAGE_TOP, USAGE_CACHED, USAGE_BESIDE},
    {"cache_read_input_token_count", USAGE_TOP, USAGE_CACHED, USAGE_BESIDE},
    {"cache_creation_input_tokens", USAGE_TOP, USAGE_CREATION, USAGE_BESIDE},
    {"cache_write_input_tokens", USAGE_TOP, USAGE_CREATION, USAGE_BESIDE},
    {"cache_write_input_token_count", USAGE_TOP, USAGE_CREATION, USAGE_BESIDE},
    {"cache_creation", USAGE_TOP, USAGE_CACHE, USAGE_OBJECT},
    {"ephemeral_5m_input_tokens", USAGE_CACHE, USAGE_CREATION_5M, USAGE_BESIDE},
    {"ephemeral_1h_input_tokens", USAGE_CACHE, USAGE_CREATION_1H, USAGE_BESIDE},
    /* Gemini: what comes from the cache is in the prompt, thoughts are not in the candidates. */
    {"prompt_token_count", USAGE_TOP, USAGE_INPUT, USAGE_BESIDE},
    {"tool_use_prompt_token_count", USAGE_TOP, USAGE_TOOL_USE, USAGE_BESIDE},
    {"candidates_token_count", USAGE_TOP, USAGE_OUTPUT, USAGE_BESIDE},
    {"response_token_count", USAGE_TOP, USAGE_OUTPUT, USAGE_BESIDE},
    {"total_token_count", USAGE_TOP, USAGE_TOTAL, USAGE_BESIDE},
    {"cached_content_token_count", USAGE_TOP, USAGE_CACHED, USAGE_PART | USAGE_NOT_0},
    {"thoughts_token_count", USAGE_TOP, USAGE_REASONING, USAGE_BESIDE},
    {"prompt_tokens_details", USAGE_TOP, USAGE_AUDIO_LISTED, USAGE_LIST},
    {"cache_tokens_details", USAGE_TOP, USAGE_AUDIO_CACHED, USAGE_LIST},
    /* Ollama; llama.cpp, whose timings stand inside of a reply or alone. */
    {"prompt_eval_count", USAGE_TOP, USAGE_INPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"eval_count", USAGE_TOP, USAGE_OUTPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"tokens_evaluated", USAGE_TOP, USAGE_INPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"tokens_predicted", USAGE_TOP, USAGE_OUTPUT, USAGE_BESIDE | USAGE_ADDS_UP},
    {"timings", USAGE_TOP, USAGE_TIMINGS, USAGE_OBJECT},
    {"prompt_n", USAGE_TOP | USAGE_TIMINGS, USAGE_INPUT, USAGE_SPARE | USAGE_ADDS_UP},
    {"predicted_n", USAGE_TOP | USAGE_TIMINGS, USAGE_OUTPUT, USAGE_SPARE | USAGE_ADDS_UP},
    {"cache_n", USAGE_TOP | USAGE_TIMINGS, USAGE_CACHE_N, USAGE_BESIDE | USAGE_NOT_0},
    /* Cohere: what is billed counts. */
    {"billed_units", USAGE_TOP, USAGE_BILLED, USAGE_OBJECT},
    {"tokens", USAGE_TOP, USAGE_UNBILLED, USAGE_OBJECT},
    {"input_tokens", USAGE_UNBILLED, USAGE_INPUT, USAGE_SPARE | USAGE_ADDS_UP},
    {"output_tokens", USAGE_UNBILLED, USAGE_OUTPUT, USAGE_SPARE | USAGE_ADDS_UP},
    /* Costs: Langfuse v2; OpenRouter's number; Perplexity's object. */
    {"input_cost", USAGE_TOP, USAGE_INPUT_COST, USAGE_COST},
    {"output_cost", USAGE_TOP, USAGE_OUTPUT_COST, USAGE_COST},
    {"total_cost", USAGE_TOP | USAGE_PRICES, USAGE_TOTAL_COST, USAGE_COST},
    {"cost", USAGE_TOP, USAGE_TOTAL_COST, USAGE_COST},
    {"cost", USAGE_TOP, USAGE_PRICES, USAGE_OBJECT},
    {"input_tokens_cost", USAGE_PRICES, USAGE_INPUT_COST, USAGE_COST},
    {"output_tokens_cost", USAGE_PRICES, USAGE_OUTPUT_COST, USAGE_COST},
};

typedef struct usage_count {
    uint64_t value;
    uint8_t way; /* 0: not reported */
} usage_count;

typedef struct usage_report {
    usage_count counts[USAGE_SLOTS];
    lf__text costs[USAGE_COSTS]; /* JSON numbers; empty: not reported */
    bool adds_up;
} usage_report;

/* ---- Reading ---------------------------------------------------------------------------------------------------- */

/* cachedTokens as cached_tokens, so that a count has one name however its API spells it. Empty: too long for any name. */
static lf__text usage_snake_case(char to[USAGE_KEY_MAX], const char *key, size_t key_size)
{
    size_t size = 0;
    for (size_t i = 0; i < key_size; i++) {
        bool upper = key[i] >= 'A' && key[i] <= 'Z';
        if (size + 2 > USAGE_KEY_MAX)
            return (lf__text){NULL, 0};
        if (upper)
            to[size++] = '_';
        to[size++] = (char)(upper ? key[i] + ('a' - 'A') : key[i]);
    }
    return (lf__text){to, size};
}

/* `kind`: USAGE_OBJECT, USAGE_LIST, or USAGE_COST for a number; the row of a number says whether that is a cost or a count. */
static const usage_row *usage_find(lf__text key, unsigned place, unsigned kind)
{
    for (size_t i = 0; i < sizeof usage_rows / sizeof *usage_rows; i++) {
        const usage_row *row = &usage_rows[i];
        unsigned way = row->way & USAGE_WAYS;
        if ((row->place & place) != 0 && (kind == way || (kind == USAGE_COST && way < USAGE_COST)) &&
            lf__text_equals(lf__text_of(row->key), key))
            return row;
    }
    return NULL;
}

/* The slot of one of Langfuse's words; USAGE_SLOTS: it is none. */
static size_t usage_find_name(lf__text key)
{
    size_t slot = USAGE_INPUT;
    while (slot < USAGE_SLOTS && !lf__text_equals(lf__text_of(usage_names[slot]), key))
        slot++;
    return slot;
}

/* A whole number that is not negative, "12" or "12.0": others cannot be added up, and a server leaves them out. */
static bool usage_whole_number(lf__text number, uint64_t *out_value)
{
    size_t i = 0;
    uint64_t value = 0;
    for (; i < number.size && i <= USAGE_DIGITS_MAX && number.at[i] >= '0' && number.at[i] <= '9'; i++)
        value = value * 10 + (uint64_t)(number.at[i] - '0');
    if (i == 0 || i > USAGE_DIGITS_MAX || (i < number.size && number.at[i] != '.'))
        return false;
    for (i++; i < number.size; i++)
        if (number.at[i] != '0')
            return false;
    *out_value = value;
    return true;
}

static bool usage_add(usage_report *to, size_t slot, unsigned way, lf__text number)
{
    usage_count *count = &to->counts[slot];
    uint64_t value;
    if (!usage_whole_number(number, &value) || ((way & USAGE_NOT_0) != 0 && value == 0))
        return false;
    unsigned rank = way & USAGE_WAYS;
    if (rank > USAGE_SPARE || count->way <= USAGE_SPARE)
        count->value = value;
    if (rank > count->way)
        count->way = (uint8_t)rank;
    return true;
}

/* Of [{"modality":"AUDIO","tokenCount":5}, ...]. */
static void usage_read_list(usage_report *to, size_t slot, lf__text list)
{
    static const lf__text audio = LF__TEXT("\"AUDIO\""), modality = LF__TEXT("modality"), token_count = LF__TEXT("token_count");
    lf__text item;
    for (size_t at = 0; lf__json_next_item(list.at, list.size, &at, &item);) {
        char room[USAGE_KEY_MAX];
        lf__json_member member;
        lf__text count = {NULL, 0};
        bool is_audio = false;
        for (size_t in = 0; lf__json_next_member(item.at, item.size, &in, &member);) {
            lf__text key = usage_snake_case(room, member.key, member.key_size), value = {member.value, member.value_size};
            is_audio |= lf__text_equals(key, modality) && lf__text_equals(value, audio);
            if (lf__text_equals(key, token_count))
                count = value;
        }
        if (is_audio)
            usage_add(to, slot, USAGE_BESIDE, count);
    }
}

static void usage_read(usage_report *to, lf__text object, unsigned place);

static void usage_read_member(usage_report *to, const lf__json_member *member, unsigned place)
{
    char room[USAGE_KEY_MAX];
    lf__text key = usage_snake_case(room, member->key, member->key_size), value = {member->value, member->value_size};
    unsigned kind = value.at[0] == '{' ? USAGE_OBJECT : value.at[0] == '[' ? USAGE_LIST : USAGE_COST;
    const usage_row *row = usage_find(key, place, kind);
    size_t slot = row != NULL ? row->slot : place == USAGE_TOP && kind == USAGE_COST ? usage_find_name(key) : USAGE_SLOTS;
    if (row == NULL && slot < USAGE_SLOTS)
        usage_add(to, slot, USAGE_OWN, value);
    if (row == NULL)
        return;
    if (row->way == USAGE_OBJECT)
        usage_read(to, value, row->slot);
    else if (row->way == USAGE_LIST)
        usage_read_list(to, slot, value);
    else if (row->way != USAGE_COST)
        to->adds_up |= usage_add(to, slot, row->way, value) && (row->way & USAGE_ADDS_UP) != 0;
    else if (value.at[0] >= '0' && value.at[0] <= '9' && value.size <= USAGE_COST_MAX)
        to->costs[slot] = value;
}

/* Objects in objects of usage have no meaning, so this calls itself once. */
static void usage_read(usage_report *to, lf__text object, unsigned place)
{
    lf__json_member member;
    for (size_t at = 0; lf__json_next_member(object.at, object.size, &at, &member);)
        usage_read_member(to, &member, place);
}

/* ---- Taking apart ----------------------------------------------------------------------------------------------- */

/* Where a part is counted. */
typedef enum usage_wish { USAGE_AS_REPORTED, USAGE_INSIDE, USAGE_OUTSIDE, USAGE_WISHES } usage_wish;

static bool usage_has(const usage_report *of, size_t slot)
{
    return of->counts[slot].way != 0;
}

static uint64_t usage_take_off(uint64_t from, uint64_t part)
{
    return from > part ? from - part : 0;
}

/* Anthropic's tokens written to the cache hold those of 5 minutes and of an hour; the rest is left over. */
static void usage_split_creation(usage_report *of)
{
    usage_count *all = &of->counts[USAGE_CREATION];
    if (all->way <= USAGE_OWN || (!usage_has(of, USAGE_CREATION_5M) && !usage_has(of, USAGE_CREATION_1H)))
        return;
    all->value = usage_take_off(all->value, of->counts[USAGE_CREATION_5M].value + of->counts[USAGE_CREATION_1H].value);
    if (all->value == 0)
        all->way = 0;
}

/* Gemini's Flash models alone have a price for sound. */
static bool usage_prices_audio(lf__text model)
{
    while (model.size > 0 && !lf__text_begins(model, "flash"))
        model = lf__text_behind(model, 1);
    return model.size > 0;
}

static void usage_prepare(usage_report *of, lf__text model)
{
    usage_count *counts = of->counts;
    usage_split_creation(of);
    uint64_t audio = usage_take_off(counts[USAGE_AUDIO_LISTED].value, counts[USAGE_AUDIO_CACHED].value);
    if (audio > 0 && usage_prices_audio(model))
        counts[USAGE_INPUT_AUDIO] = (usage_count){audio, USAGE_PART};
    /* llama.cpp: prompt_n is without the cache, tokens_evaluated with it. */
    if (usage_has(of, USAGE_CACHE_N) && !usage_has(of, USAGE_CACHED))
        counts[USAGE_CACHED] = (usage_count){counts[USAGE_CACHE_N].value,
                                             counts[USAGE_INPUT].way == USAGE_SPARE ? USAGE_BESIDE : USAGE_PART};
}

/* Take the parts from `first` to `last` off their side. A spare one that is larger than the side says something else, as
 * Perplexity's reasoning_tokens do. */
static void usage_take_parts(usage_report *of, size_t side, size_t first, size_t last, usage_wish wish)
{
    usage_count *whole = &of->counts[side];
    for (size_t i = first; i <= last && whole->way != 0; i++) {
        usage_count *part = &of->counts[i];
        bool spare = part->way == USAGE_SPARE;
        bool inside = wish == USAGE_AS_REPORTED ? spare || part->way == USAGE_PART : wish == USAGE_INSIDE;
        if (!inside || part->way == 0 || part->way == USAGE_OWN || (spare && whole->way == USAGE_OWN))
            continue;
        if (spare && part->value > whole->value)
            part->way = 0;
        else
            whole->value = usage_take_off(whole->value, part->value);
    }
}

/* Sound has a price of its own. Text has one where sound or images are counted beside it, as long as it overlaps with nothing:
 * xAI counts cached text as text, too. What stays inside of its side has the price of the side. */
static void usage_split(usage_report *of, size_t side, size_t first)
{
    usage_count *whole = &of->counts[side], *audio = &of->counts[first], *text = audio + 1, *image = audio + 2;
    if (whole->way == 0)
        return;
    if (audio->way == USAGE_PART) {
        audio->value = audio->value < whole->value ? audio->value : whole->value;
        whole->value -= audio->value;
    }
    bool beside = (audio->way != 0 && audio->value > 0) || image->way == USAGE_PART;
    uint64_t both = (text->way == USAGE_PART ? text->value : 0) + (image->way == USAGE_PART ? image->value : 0);
    if (beside && both <= whole->value) {
        whole->value -= both;
        return;
    }
    text->way = text->way == USAGE_PART ? 0 : text->way;
    image->way = image->way == USAGE_PART ? 0 : image->way;
}

/* The tokens that leave: names that are no number of tokens, and the total, do not count. */
static uint64_t usage_sum(const usage_report *of)
{
    uint64_t sum = 0;
    for (size_t i = USAGE_INPUT; i < USAGE_QUERIES; i++)
        if (i != USAGE_TOTAL && usage_has(of, i))
            sum += of->counts[i].value;
    return sum;
}

static usage_report usage_apart(const usage_report *reported, usage_wish caches, usage_wish reasoning)
{
    usage_report of = *reported;
    usage_take_parts(&of, USAGE_INPUT, USAGE_CACHED, USAGE_CREATION_1H, caches);
    usage_take_parts(&of, USAGE_OUTPUT, USAGE_REASONING, USAGE_REASONING, reasoning);
    usage_split(&of, USAGE_INPUT, USAGE_INPUT_AUDIO);
    usage_split(&of, USAGE_OUTPUT, USAGE_OUTPUT_AUDIO);
    if (usage_has(&of, USAGE_INPUT))
        of.counts[USAGE_INPUT].value += of.counts[USAGE_TOOL_USE].value;
    return of;
}

/* Counts that do not overlap. Servers of one dialect disagree on what holds what (xAI's completion_tokens are without the
 * reasoning, the input_tokens of a gateway are with what the caches have), and their total tells. */
static usage_report usage_settle(const usage_report *reported)
{
    usage_report of = usage_apart(reported, USAGE_AS_REPORTED, USAGE_AS_REPORTED);
    if (!usage_has(&of, USAGE_TOTAL)) {
        if (of.adds_up)
            of.counts[USAGE_TOTAL] = (usage_count){usage_sum(&of), USAGE_BESIDE};
        return of;
    }
    usage_report as_reported = of;
    for (int wish = 1; usage_sum(&of) != of.counts[USAGE_TOTAL].value; wish++) {
        if (wish == USAGE_WISHES * USAGE_WISHES)
            return as_reported;
        of = usage_apart(reported, (usage_wish)(wish / USAGE_WISHES), (usage_wish)(wish % USAGE_WISHES));
    }
    return of;
}

/* ---- Writing ---------------------------------------------------------------------------------------------------- */

static void usage_key(lf__buf *out, size_t start, const char *name)
{
    lf__buf_add(out, out->length == start ? "{\"" : ",\"", 2);
    lf__buf_add_text(out, name);
    LF__BUF_ADD(out, "\":");
}

static void usage_write(lf__buf *out, const usage_report *of)
{
    size_t start = out->length;
    for (size_t i = USAGE_INPUT; i < USAGE_SLOTS; i++) {
        if (!usage_has(of, i))
            continue;
        usage_key(out, start, usage_names[i]);
        lf__json_uint(out, of->counts[i].value);
    }
    lf__buf_add(out, "}", out->length > start);
}

enum { USAGE_COST_PLACES = 12 };

/* A cost in 10^-12 dollars, as far as it goes; what is smaller is cut off. False: there are too many of them. */
static bool usage_read_cost(lf__text number, uint64_t *out_value)
{
    enum { EXPONENT_MAX = 100 };
    uint64_t value = 0;
    int places = 0, exponent = 0;
    bool fraction = false, negative = false;
    for (; number.size > 0 && number.at[0] != 'e' && number.at[0] != 'E'; number = lf__text_behind(number, 1)) {
        fraction |= number.at[0] == '.';
        if (number.at[0] == '.' || (fraction && value > UINT64_MAX / 100))
            continue;
        if (__builtin_mul_overflow(value, 10u, &value) || __builtin_add_overflow(value, (uint64_t)(number.at[0] - '0'), &value))
            return false;
        places += fraction;
    }
    for (size_t i = 1; i < number.size; i++) {
        negative |= number.at[i] == '-';
        if (number.at[i] >= '0' && exponent < EXPONENT_MAX)
            exponent = exponent * 10 + (number.at[i] - '0');
    }
    for (places -= negative ? -exponent : exponent; places > USAGE_COST_PLACES; places--)
        value /= 10;
    for (; value > 0 && places < USAGE_COST_PLACES; places++)
        if (__builtin_mul_overflow(value, 10u, &value))
            return false;
    *out_value = value;
    return true;
}

static void usage_write_cost(lf__buf *out, uint64_t value)
{
    uint64_t one = 1;
    for (int i = 0; i < USAGE_COST_PLACES; i++)
        one *= 10;
    lf__json_uint(out, value / one);
    if (value % one > 0)
        lf__buf_add_char(out, '.');
    for (value %= one; value > 0; value = value * 10 % one)
        lf__buf_add_char(out, (char)('0' + value * 10 / one));
}

/* A server adds no total where it finds other names than "input" and "output" beside them, so there is always one. */
static void usage_write_costs(lf__buf *out, const usage_report *of)
{
    size_t start = out->length;
    uint64_t sum = 0, cost = 0;
    bool known = true;
    for (size_t i = 0; i < USAGE_COSTS; i++) {
        if (of->costs[i].size == 0)
            continue;
        usage_key(out, start, usage_cost_names[i]);
        lf__buf_add(out, of->costs[i].at, of->costs[i].size);
        known = known && usage_read_cost(of->costs[i], &cost) && !__builtin_add_overflow(sum, cost, &sum);
    }
    if (out->length > start && of->costs[USAGE_TOTAL_COST].size == 0 && known) {
        usage_key(out, start, usage_cost_names[USAGE_TOTAL_COST]);
        usage_write_cost(out, sum);
    }
    lf__buf_add(out, "}", out->length > start);
}

bool lf__usage_knows(lf__text key)
{
    char room[USAGE_KEY_MAX];
    lf__text name = usage_snake_case(room, key.at, key.size);
    return usage_find(name, USAGE_TOP, USAGE_COST) != NULL || usage_find_name(name) < USAGE_SLOTS;
}

bool lf__usage_convert(lf__buf *details, lf__buf *costs, const char *json, size_t size, lf__text model)
{
    size_t details_start = details->length, costs_start = costs->length;
    if (!lf__json_valid(json, size) || json[strspn(json, " \t\r\n")] != '{')
        return false;
    usage_report reported = {.adds_up = false};
    usage_read(&reported, (lf__text){json, size}, USAGE_TOP);
    usage_prepare(&reported, model);
    usage_report of = usage_settle(&reported);
    usage_write(details, &of);
    usage_write_costs(costs, &of);
    if (!details->failed && !costs->failed)
        return true;
    details->length = details_start;
    costs->length = costs_start;
    return false;
}
