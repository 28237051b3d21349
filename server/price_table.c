/* Names, patterns, prices and tiers are those of the models that a Langfuse server of version 4.16 comes with (its default model
 * prices, as of 2026-08-22); there the lists of the providers are the sources. Names of one model with the same prices share a row
 * here; PaLM and the first GPT-3 are left out. Dollars for a million. */
#include "price_table.h"

/* clang-format off */

#define MODEL(name, pattern, tiers) \
    "{\"modelName\":\"" name "\",\"matchPattern\":\"(?i)^" pattern "$\",\"pricingTiers\":[" tiers "]}"
#define TIER(name, priority, when, rates) \
    ",{\"name\":\"" name "\",\"priority\":" priority ",\"conditions\":[" when "],\"prices\":{" rates "}}"
#define STANDARD(rates) "{\"name\":\"Standard\",\"isDefault\":true,\"priority\":0,\"prices\":{" rates "}}"

/* ---- Conditions ---- */

#define PARAMETER(key, values) "{\"source\":\"model_parameters\",\"key\":\"" key "\",\"operator\":\"in\",\"values\":[" values "]}"
#define FAST PARAMETER("service_tier", "\"fast\",\"priority\"")
#define FLEX PARAMETER("service_tier", "\"flex\"")
#define ABOVE(tokens, keys) "{\"usageDetailPattern\":\"" keys "\",\"operator\":\"gt\",\"value\":" tokens "}"
#define LARGE ABOVE("272000", "(input)")
#define LARGE_OR_WRITTEN ABOVE("272000", "(input|cache_write)")

/* ---- Keys of usage ---- */

#define RATE(key, dollars) "\"" key "\":" dollars "e-6"
#define CACHED(d) RATE("input_cached_tokens", d) "," RATE("input_cache_read", d)
#define CACHE_READ(d) CACHED(d) "," RATE("cache_read_input_tokens", d)
#define REASONED(d) RATE("output", d) "," RATE("output_reasoning_tokens", d) "," RATE("output_reasoning", d)
#define THOUGHT(d) REASONED(d) "," RATE("reasoning_tokens", d)

#define TOTAL(d) STANDARD(RATE("total", d))
#define BOTH(in, out) RATE("input", in) "," RATE("output", out)
#define PLAIN(in, out) STANDARD(BOTH(in, out))
#define GPT_4(in, cached, out) BOTH(in, out) "," CACHE_READ(cached)
#define GPT_41(in, cached, out) GPT_4(in, cached, out) "," RATE("input_cached_text_tokens", cached)
#define GPT_5(in, cached, out) RATE("input", in) "," CACHE_READ(cached) "," THOUGHT(out)
#define GPT_5_PRO(in, out) RATE("input", in) "," THOUGHT(out)
#define GPT_56(in, cached, written, out) \
    GPT_5(in, cached, out) "," RATE("cache_write_tokens", written) "," RATE("input_cache_creation", written)
#define O_1(in, cached, out) RATE("input", in) "," CACHED(cached) "," REASONED(out)
#define O_PRO(in, out) RATE("input", in) "," REASONED(out)
#define CLAUDE(in, out, written, hour, read) \
    BOTH(in, out) "," RATE("input_tokens", in) "," RATE("output_tokens", out) "," CACHE_READ(read) "," \
    RATE("cache_creation_input_tokens", written) "," RATE("input_cache_creation", written) "," \
    RATE("input_cache_creation_5m", written) "," RATE("input_cache_creation_1h", hour)
#define SONNET CLAUDE("3", "15", "3.75", "6", "0.3")
#define GEMINI(in, cached, out) \
    RATE("input", in) "," RATE("input_modality_1", in) "," RATE("input_text", in) "," RATE("promptTokenCount", in) "," \
    RATE("prompt_token_count", in) "," RATE("input_cached_tokens", cached) "," RATE("cached_content_token_count", cached) "," \
    REASONED(out) "," RATE("output_text", out) "," RATE("output_modality_1", out) "," RATE("candidatesTokenCount", out) "," \
    RATE("candidates_token_count", out) "," RATE("thoughtsTokenCount", out) "," RATE("thoughts_token_count", out)
#define SEARCHED(d) \
    RATE("grounding_queries", d) "," RATE("groundingQueries", d) "," RATE("web_search_queries", d) "," RATE("webSearchQueries", d)

/* ---- Names ---- */

#define OPENAI(names) "(openai/)?(" names ")"
#define GOOGLE(names) "(google(ai)?/)?(" names ")"
#define GOOGLE_AT(names) GOOGLE(names) "(@[a-zA-Z0-9]+)?"
#define REGION "(eu[.]|us[.]|apac[.]|au[.]|jp[.]|global[.])?"
#define ANTHROPIC(names) "(anthropic/)?(" names ")"
#define CLAUDE_3(name, date) ANTHROPIC(name "-" date "|" REGION "anthropic[.]" name "-" date "-v1:0|" name "@" date)
#define CLAUDE_4(name, date) ANTHROPIC(name "(-" date ")?|" REGION "anthropic[.]" name "(-" date ")?-v1(:0)?|" name "(@" date ")?")
#define CLAUDE_5(name) "((anthropic/)?" name "|" REGION "anthropic[.]" name "(-v1(:0)?)?)"
#define CLAUDE_45(name) ANTHROPIC(name "|" REGION "anthropic[.]" name "-v1(:0)?")

const char *const price_table[] = {
    /* OpenAI */
    MODEL("gpt-4o", OPENAI("gpt-4o(-2024-08-06|-2024-11-20)?"),
          STANDARD(GPT_4("2.5", "1.25", "10")) TIER("Fast mode", "1", FAST, GPT_4("4.25", "2.125", "17"))),
    MODEL("gpt-4o-2024-05-13", OPENAI("gpt-4o-2024-05-13"), PLAIN("5", "15") TIER("Fast mode", "1", FAST, BOTH("8.75", "26.25"))),
    MODEL("gpt-4o-mini", OPENAI("gpt-4o-mini(-2024-07-18)?"),
          STANDARD(GPT_4("0.15", "0.075", "0.6")) TIER("Fast mode", "1", FAST, GPT_4("0.25", "0.125", "1"))),
    MODEL("chatgpt-4o-latest", "chatgpt-4o-latest", PLAIN("5", "15")),
    MODEL("gpt-4o-audio-preview", OPENAI("gpt-4o-audio-preview(-2024-10-01)?"),
          STANDARD(RATE("input_text_tokens", "2.5") "," RATE("output_text_tokens", "10") "," RATE("input_audio_tokens", "100") ","
                   RATE("input_audio", "100") "," RATE("output_audio_tokens", "200") "," RATE("output_audio", "200"))),
    MODEL("gpt-4o-realtime-preview", OPENAI("gpt-4o-realtime-preview(-2024-10-01)?"),
          STANDARD(RATE("input_text_tokens", "5") "," RATE("input_cached_text_tokens", "2.5") ","
                   RATE("output_text_tokens", "20") "," RATE("input_audio_tokens", "100") "," RATE("input_audio", "100") ","
                   RATE("input_cached_audio_tokens", "20") "," RATE("output_audio_tokens", "200") "," RATE("output_audio", "200"))),
    MODEL("gpt-4.1", OPENAI("gpt-4.1(-2025-04-14)?"),
          STANDARD(GPT_41("2", "0.5", "8")) TIER("Fast mode", "1", FAST, GPT_41("3.5", "0.875", "14"))),
    MODEL("gpt-4.1-mini", OPENAI("gpt-4.1-mini(-2025-04-14)?"),
          STANDARD(GPT_41("0.4", "0.1", "1.6")) TIER("Fast mode", "1", FAST, GPT_41("0.7", "0.175", "2.8"))),
    MODEL("gpt-4.1-nano", OPENAI("gpt-4.1-nano(-2025-04-14)?"),
          STANDARD(GPT_41("0.1", "0.025", "0.4")) TIER("Fast mode", "1", FAST, GPT_41("0.2", "0.05", "0.8"))),
    MODEL("gpt-4.5-preview", OPENAI("gpt-4.5-preview(-2025-02-27)?"),
          STANDARD(BOTH("75", "150") "," CACHED("37.5") "," RATE("input_cached_text_tokens", "37.5"))),
    MODEL("gpt-4-turbo", OPENAI("gpt-4-turbo(-preview|-2024-04-09)?|gpt-4(-1106|-0125)?-preview|gpt-4(-[0-9]{4})?-vision-preview"),
          PLAIN("10", "30")),
    MODEL("gpt-4-32k", OPENAI("gpt-4-32k(-0314|-0613)?"), PLAIN("60", "120")),
    MODEL("gpt-4", OPENAI("gpt-4(-0314|-0613)?"), PLAIN("30", "60")),
    MODEL("gpt-3.5-turbo", OPENAI("gpt-3.?5-turbo(-0125|-16k)?"), PLAIN("0.5", "1.5")),
    MODEL("gpt-3.5-turbo-1106", OPENAI("gpt-3.?5-turbo-1106"), PLAIN("1", "2")),
    MODEL("gpt-3.5-turbo-0613", OPENAI("gpt-3.?5-turbo-(0613|instruct)"), PLAIN("1.5", "2")),
    MODEL("gpt-3.5-turbo-0301", OPENAI("gpt-3.?5-turbo-0301"), PLAIN("2", "2")),
    MODEL("gpt-3.5-turbo-16k-0613", OPENAI("gpt-3.?5-turbo-16k-0613"), PLAIN("3", "4")),
    MODEL("ft:gpt-3.5-turbo-1106", "ft:gpt-3.5-turbo-1106:.+:.*:.+", PLAIN("3", "6")),
    MODEL("ft:gpt-3.5-turbo-0613", "ft:gpt-3.5-turbo-0613:.+:.*:.+", PLAIN("12", "16")),
    MODEL("babbage-002", "babbage-002", PLAIN("0.4", "0.4")),
    MODEL("davinci-002", "davinci-002", PLAIN("2", "2")),
    MODEL("ft:babbage-002", "ft:babbage-002:.+:.*:.+", PLAIN("1.6", "1.6")),
    MODEL("ft:davinci-002", "ft:davinci-002:.+:.*:.+", PLAIN("12", "12")),
    MODEL("text-embedding-3-small", "text-embedding-3-small", TOTAL("0.02")),
    MODEL("text-embedding-3-large", "text-embedding-3-large", TOTAL("0.13")),
    MODEL("text-embedding-ada-002", "text-embedding-ada-002(-v2)?", TOTAL("0.1")),
    MODEL("o1", OPENAI("o1(-preview|-preview-2024-09-12|-2024-12-17)?"), STANDARD(O_1("15", "7.5", "60"))),
    MODEL("o1-mini", OPENAI("o1-mini(-2024-09-12)?"), STANDARD(O_1("1.1", "0.55", "4.4"))),
    MODEL("o1-pro", OPENAI("o1-pro(-2025-03-19)?"), STANDARD(O_PRO("150", "600"))),
    MODEL("o3", OPENAI("o3(-2025-04-16)?"),
          STANDARD(GPT_5("2", "0.5", "8")) TIER("Fast mode", "1", FAST, GPT_5("3.5", "0.875", "14"))
          TIER("Flex", "2", FLEX, GPT_5("1", "0.25", "4"))),
    MODEL("o3-mini", OPENAI("o3-mini(-2025-01-31)?"), STANDARD(O_1("1.1", "0.55", "4.4"))),
    MODEL("o3-pro", OPENAI("o3-pro(-2025-06-10)?"), STANDARD(O_PRO("20", "80"))),
    MODEL("o4-mini", OPENAI("o4-mini(-2025-04-16)?"),
          STANDARD(GPT_5("1.1", "0.275", "4.4")) TIER("Fast mode", "1", FAST, GPT_5("2", "0.5", "8"))
          TIER("Flex", "2", FLEX, GPT_5("0.55", "0.138", "2.2"))),
    MODEL("gpt-5", OPENAI("gpt-5(-2025-08-07)?|gpt-5.1(-2025-11-13)?"),
          STANDARD(GPT_5("1.25", "0.125", "10")) TIER("Fast mode", "1", FAST, GPT_5("2.5", "0.25", "20"))
          TIER("Flex", "2", FLEX, GPT_5("0.625", "0.0625", "5"))),
    MODEL("gpt-5-mini", OPENAI("gpt-5-mini(-2025-08-07)?"),
          STANDARD(GPT_5("0.25", "0.025", "2")) TIER("Fast mode", "1", FAST, GPT_5("0.45", "0.045", "3.6"))
          TIER("Flex", "2", FLEX, GPT_5("0.125", "0.0125", "1"))),
    MODEL("gpt-5-nano", OPENAI("gpt-5-nano(-2025-08-07)?"),
          STANDARD(GPT_5("0.05", "0.005", "0.4")) TIER("Flex", "1", FLEX, GPT_5("0.025", "0.0025", "0.2"))),
    MODEL("gpt-5-chat-latest", OPENAI("gpt-5-chat-latest"), STANDARD(O_1("1.25", "0.125", "10"))),
    MODEL("gpt-5-pro", OPENAI("gpt-5-pro(-2025-10-06)?"), STANDARD(O_PRO("15", "120"))),
    MODEL("gpt-5.2", OPENAI("gpt-5.2(-2025-12-11)?"),
          STANDARD(GPT_5("1.75", "0.175", "14")) TIER("Fast mode", "1", FAST, GPT_5("3.5", "0.35", "28"))
          TIER("Flex", "2", FLEX, GPT_5("0.875", "0.0875", "7"))),
    MODEL("gpt-5.2-pro", OPENAI("gpt-5.2-pro(-2025-12-11)?"), STANDARD(O_PRO("21", "168"))),
    MODEL("gpt-5.3-codex", OPENAI("gpt-5.3-codex"), STANDARD(O_1("1.75", "0.175", "14"))),
    MODEL("gpt-5.4", OPENAI("gpt-5.4(-2026-03-05)?"),
          STANDARD(GPT_5("2.5", "0.25", "15"))
          TIER("Flex · Large context (>272K)", "1", FLEX "," LARGE, GPT_5("2.5", "0.25", "11.25"))
          TIER("Fast mode", "2", FAST, GPT_5("5", "0.5", "30"))
          TIER("Flex", "3", FLEX, GPT_5("1.25", "0.13", "7.5"))
          TIER("Large Context (>272K)", "4", LARGE, GPT_5("5", "0.5", "22.5"))),
    MODEL("gpt-5.4-pro", OPENAI("gpt-5.4-pro(-2026-03-05)?"),
          STANDARD(GPT_5_PRO("30", "180"))
          TIER("Flex · Large context (>272K)", "1", FLEX "," LARGE, GPT_5_PRO("30", "135"))
          TIER("Flex", "2", FLEX, GPT_5_PRO("15", "90"))
          TIER("Large Context (>272K)", "3", LARGE, GPT_5_PRO("60", "270"))),
    MODEL("gpt-5.4-mini", OPENAI("gpt-5.4-mini(-2026-03-17)?"),
          STANDARD(GPT_4("0.75", "0.075", "4.5")) TIER("Fast mode", "1", FAST, GPT_4("1.5", "0.15", "9"))
          TIER("Flex", "2", FLEX, GPT_4("0.375", "0.0375", "2.25"))),
    MODEL("gpt-5.4-nano", OPENAI("gpt-5.4-nano(-2026-03-17)?"),
          STANDARD(GPT_4("0.2", "0.02", "1.25")) TIER("Flex", "1", FLEX, GPT_4("0.1", "0.01", "0.625"))),
    MODEL("gpt-5.5", OPENAI("gpt-5.5(-2026-04-23)?"),
          STANDARD(GPT_5("5", "0.5", "30"))
          TIER("Flex · Large context (>272K)", "1", FLEX "," LARGE, GPT_5("5", "0.5", "22.5"))
          TIER("Fast mode", "2", FAST, GPT_5("12.5", "1.25", "75"))
          TIER("Flex", "3", FLEX, GPT_5("2.5", "0.25", "15"))
          TIER("Large Context (>272K)", "4", LARGE, GPT_5("10", "1", "45"))),
    MODEL("gpt-5.5-pro", OPENAI("gpt-5.5-pro(-2026-04-23)?"),
          STANDARD(GPT_5_PRO("30", "180"))
          TIER("Flex", "1", FLEX, GPT_5_PRO("15", "90"))
          TIER("Large Context (>272K)", "2", LARGE, GPT_5_PRO("60", "270"))),
    MODEL("gpt-5.6-sol", OPENAI("gpt-5.6-sol"),
          STANDARD(GPT_56("5", "0.5", "6.25", "30"))
          TIER("Fast mode · Large context (>272K)", "1", FAST "," LARGE_OR_WRITTEN, GPT_56("20", "2", "25", "90"))
          TIER("Flex · Large context (>272K)", "2", FLEX "," LARGE_OR_WRITTEN, GPT_56("5", "0.5", "6.25", "22.5"))
          TIER("Fast mode", "3", FAST, GPT_56("10", "1", "12.5", "60"))
          TIER("Flex", "4", FLEX, GPT_56("2.5", "0.25", "3.125", "15"))
          TIER("Large Context (>272K)", "5", LARGE_OR_WRITTEN, GPT_56("10", "1", "12.5", "45"))),
    MODEL("gpt-5.6-terra", OPENAI("gpt-5.6-terra"),
          STANDARD(GPT_56("2", "0.2", "2.5", "12"))
          TIER("Fast mode · Large context (>272K)", "1", FAST "," LARGE_OR_WRITTEN, GPT_56("8", "0.8", "10", "36"))
          TIER("Flex · Large context (>272K)", "2", FLEX "," LARGE_OR_WRITTEN, GPT_56("2", "0.2", "2.5", "9"))
          TIER("Fast mode", "3", FAST, GPT_56("4", "0.4", "5", "24"))
          TIER("Flex", "4", FLEX, GPT_56("1", "0.1", "1.25", "6"))
          TIER("Large Context (>272K)", "5", LARGE_OR_WRITTEN, GPT_56("4", "0.4", "5", "18"))),
    MODEL("gpt-5.6-luna", OPENAI("gpt-5.6-luna"),
          STANDARD(GPT_56("0.2", "0.02", "0.25", "1.2"))
          TIER("Fast mode · Large context (>272K)", "1", FAST "," LARGE_OR_WRITTEN, GPT_56("0.8", "0.08", "1", "3.6"))
          TIER("Flex · Large context (>272K)", "2", FLEX "," LARGE_OR_WRITTEN, GPT_56("0.2", "0.02", "0.25", "0.9"))
          TIER("Fast mode", "3", FAST, GPT_56("0.4", "0.04", "0.5", "2.4"))
          TIER("Flex", "4", FLEX, GPT_56("0.1", "0.01", "0.125", "0.6"))
          TIER("Large Context (>272K)", "5", LARGE_OR_WRITTEN, GPT_56("0.4", "0.04", "0.5", "1.8"))),

    /* Anthropic, also by the names of Bedrock and Vertex */
    MODEL("claude-1", ANTHROPIC("claude-1.[123]|claude-2.[01]"), PLAIN("8", "24")),
    MODEL("claude-instant-1", ANTHROPIC("claude-instant-1(.2)?"), PLAIN("1.63", "5.51")),
    MODEL("claude-3-opus", CLAUDE_3("claude-3-opus", "20240229"), PLAIN("15", "75")),
    MODEL("claude-3-haiku", CLAUDE_3("claude-3-haiku", "20240307"), PLAIN("0.25", "1.25")),
    MODEL("claude-3-sonnet", CLAUDE_3("claude-3-sonnet", "20240229"), STANDARD(SONNET)),
    MODEL("claude-3-5-sonnet-20240620", CLAUDE_3("claude-3-5-sonnet", "20240620"), STANDARD(SONNET)),
    MODEL("claude-3-5-sonnet",
          ANTHROPIC("claude-3-5-sonnet-(20241022|latest)|" REGION "anthropic[.]claude-3-5-sonnet-20241022-v2:0|"
                    "claude-3-5-sonnet-V2@20241022"), STANDARD(SONNET)),
    MODEL("claude-3-5-haiku",
          ANTHROPIC("claude-3-5-haiku-(20241022|latest)|" REGION "anthropic[.]claude-3-5-haiku-20241022-v1:0|"
                    "claude-3-5-haiku-V1@20241022"), STANDARD(CLAUDE("0.8", "4", "1", "1.6", "0.08"))),
    MODEL("claude-3-7-sonnet",
          ANTHROPIC("claude-3.7-sonnet-20250219|claude-3-7-sonnet-latest|" REGION
                    "anthropic[.]claude-3.7-sonnet-20250219-v1:0|claude-3-7-sonnet-V1@20250219"), STANDARD(SONNET)),
    MODEL("claude-sonnet-4",
          ANTHROPIC("claude-sonnet-4(-20250514|-latest)?|" REGION "anthropic[.]claude-sonnet-4(-20250514)?-v1(:0)?|"
                    "claude-sonnet-4(-V1)?(@20250514)?"), STANDARD(SONNET)),
    MODEL("claude-sonnet-4-5",
          ANTHROPIC("claude-sonnet-4-5(-20250929)?|" REGION "anthropic[.]claude-sonnet-4-5(-20250929)?-v1(:0)?|"
                    "claude-sonnet-4-5(-V1)?(@20250929)?"), STANDARD(SONNET)),
    MODEL("claude-sonnet-4-6", ANTHROPIC("claude-sonnet-4-6|" REGION "anthropic[.]claude-sonnet-4-6(-v1(:0)?)?"),
          STANDARD(SONNET)),
    MODEL("claude-sonnet-5", CLAUDE_5("claude-sonnet-5"), STANDARD(CLAUDE("2", "10", "2.5", "4", "0.2"))),
    MODEL("claude-haiku-4-5", ANTHROPIC("claude-haiku-4-5(-20251001)?|" REGION "anthropic[.]claude-haiku-4-5-20251001-v1:0|"
          "claude-4-5-haiku@20251001"), STANDARD(CLAUDE("1", "5", "1.25", "2", "0.1"))),
    MODEL("claude-opus-4", CLAUDE_4("claude-opus-4", "20250514"), STANDARD(CLAUDE("15", "75", "18.75", "30", "1.5"))),
    MODEL("claude-opus-4-1", CLAUDE_4("claude-opus-4-1", "20250805"), STANDARD(CLAUDE("15", "75", "18.75", "30", "1.5"))),
    MODEL("claude-opus-4-5", CLAUDE_4("claude-opus-4-5", "20251101"), STANDARD(CLAUDE("5", "25", "6.25", "10", "0.5"))),
    MODEL("claude-opus-4-6", CLAUDE_45("claude-opus-4-6"), STANDARD(CLAUDE("5", "25", "6.25", "10", "0.5"))),
    MODEL("claude-opus-4-7", CLAUDE_45("claude-opus-4-7"), STANDARD(CLAUDE("5", "25", "6.25", "10", "0.5"))),
    MODEL("claude-opus-4-8", CLAUDE_5("claude-opus-4-8"), STANDARD(CLAUDE("5", "25", "6.25", "10", "0.5"))
          TIER("Fast mode", "1", PARAMETER("speed", "\"fast\""), CLAUDE("10", "50", "12.5", "20", "1"))),
    MODEL("claude-opus-5", CLAUDE_5("claude-opus-5"), STANDARD(CLAUDE("5", "25", "6.25", "10", "0.5"))
          TIER("Fast mode", "1", PARAMETER("speed", "\"fast\""), CLAUDE("10", "50", "12.5", "20", "1"))),
    MODEL("claude-fable-5", CLAUDE_5("claude-fable-5"), STANDARD(CLAUDE("10", "50", "12.5", "20", "1"))),
    MODEL("claude-mythos-5", "(anthropic/)?claude-mythos-5", STANDARD(CLAUDE("10", "50", "12.5", "20", "1"))),

    /* Google */
    MODEL("gemini-pro", GOOGLE_AT("gemini-pro|gemini-1.0-pro(-001)?"), PLAIN("0.125", "0.375")),
    MODEL("gemini-1.0-pro-latest", GOOGLE_AT("gemini-1.0-pro-latest"), PLAIN("0.25", "0.5")),
    MODEL("gemini-1.5-pro-latest", GOOGLE_AT("gemini-1.5-pro-latest"), PLAIN("2.5", "7.5")),
    MODEL("gemini-2.0-flash", GOOGLE_AT("gemini-2.0-flash(-001)?"), PLAIN("0.1", "0.4")),
    MODEL("gemini-2.0-flash-lite-preview", GOOGLE_AT("gemini-2.0-flash-lite-preview(-02-05)?"), PLAIN("0.075", "0.3")),
    MODEL("gemini-2.5-flash", GOOGLE("gemini-2.5-flash"),
          STANDARD(GEMINI("0.3", "0.03", "2.5") "," RATE("input_audio_tokens", "1"))),
    MODEL("gemini-2.5-flash-lite", GOOGLE("gemini-2.5-flash-lite"),
          STANDARD(GEMINI("0.1", "0.01", "0.4") "," RATE("input_audio_tokens", "0.3"))),
    MODEL("gemini-2.5-pro", GOOGLE("gemini-2.5-pro"),
          STANDARD(GEMINI("1.25", "0.125", "10"))
          TIER("Large Context", "1", ABOVE("200000", "(input|prompt|cached)"), GEMINI("2.5", "0.25", "15"))),
    MODEL("gemini-live-2.5-flash-native-audio", "(google/)?gemini-live-2.5-flash-native-audio",
          STANDARD(RATE("input_text", "0.5") "," RATE("input_audio", "3") "," RATE("input_image", "3") ","
                   RATE("output_text", "2") "," RATE("output_audio", "12"))),
    MODEL("gemini-3-pro-preview", GOOGLE("gemini-3-pro-preview|gemini-3.1-pro-preview(-customtools)?"),
          STANDARD(GEMINI("2", "0.2", "12") "," SEARCHED("14000"))
          TIER("Large Context", "1", ABOVE("200000", "(input|prompt|cached)"), GEMINI("4", "0.4", "18") "," SEARCHED("14000"))),
    MODEL("gemini-3-flash-preview", GOOGLE("gemini-3-flash-preview"), STANDARD(GEMINI("0.5", "0.05", "3") "," SEARCHED("14000"))),
    MODEL("gemini-3.1-flash-lite", GOOGLE("gemini-3.1-flash-lite(-preview)?"),
          STANDARD(GEMINI("0.25", "0.025", "1.5") "," RATE("input_audio_tokens", "0.5") "," SEARCHED("14000"))),
    MODEL("gemini-3.5-flash", GOOGLE("gemini-3.5-flash"), STANDARD(GEMINI("1.5", "0.15", "9") "," SEARCHED("14000"))),
    MODEL("gemini-3.5-flash-lite", GOOGLE("gemini-3.5-flash-lite"), STANDARD(GEMINI("0.3", "0.03", "2.5") "," SEARCHED("14000"))),
    MODEL("gemini-3.6-flash", GOOGLE("gemini-3.[67]-flash"), STANDARD(GEMINI("0.75", "0.075", "3.75") "," SEARCHED("14000"))),
};

const size_t price_table_count = sizeof price_table / sizeof *price_table;
