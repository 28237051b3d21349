/* Token counts as model APIs report them, turned into what Langfuse adds up: counts that do not overlap, under its own names.
 * Pure.
 */
#ifndef LF_SRC_USAGE_H
#define LF_SRC_USAGE_H

#include "../base/buf.h"

enum { LF__USAGE_COSTS_MAX = 256 }; /* bytes that cost_details never exceed */

/* Append the usage_details and the cost_details of an object; nothing where it has no counts or no costs. Understood are the
 * usage objects of OpenAI (chat and Responses, also in camelCase), Anthropic, Bedrock, Gemini and LangChain, and that of
 * Langfuse v2 with "unit" and costs. What OpenAI calls details is part of its side there: it becomes a count of its own
 * (input_cached_tokens, output_reasoning_tokens) and is taken off input or output. Other numbers keep their names; what is
 * no number is left out.
 * False, and nothing is appended, when the text is no JSON object or there is no room. */
bool lf__usage_convert(lf__buf *details, lf__buf *costs, const char *json, size_t size);

#endif
