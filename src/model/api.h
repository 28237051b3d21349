/* Which API of a model a request is for, and what of its URL may be recorded. By the path, not by the host: gateways and servers of
 * one's own have any host. Pure.
 */
#ifndef LF_SRC_API_H
#define LF_SRC_API_H

#include "../base/buf.h"

typedef enum lf__api {
    LF__API_NONE = 0, /* no call of a model */
    LF__API_CHAT, /* OpenAI chat completions */
    LF__API_COMPLETION, /* OpenAI's older completions */
    LF__API_RESPONSES,
    LF__API_EMBEDDINGS,
    LF__API_IMAGES,
    LF__API_TRANSCRIPTION,
    LF__API_SPEECH,
    LF__API_ANTHROPIC, /* messages, also on Vertex */
    LF__API_ANTHROPIC_TEXT, /* its older completions */
    LF__API_GEMINI,
    LF__API_GEMINI_EMBED,
    LF__API_OLLAMA_CHAT,
    LF__API_OLLAMA_GENERATE,
    LF__API_OLLAMA_EMBED,
    LF__API_LLAMA, /* llama.cpp /completion and /infill */
    LF__API_LLAMA_EMBED,
    LF__API_OTHER /* some model's, whose shapes are not known: recorded as it is */
} lf__api;

/* The API of a POST request. The body decides only where the path leaves it open; it may be cut. */
lf__api lf__api_of(lf__text url, lf__text body);
/* "OpenAI-generation", "Anthropic-generation", "OpenAI-embedding", ...: the default name of the observation. */
const char *lf__api_name(lf__api api);
bool lf__api_is_embedding(lf__api api);
/* The model that the URL names (Azure's deployment, Gemini, Vertex), percent-decoded. Nothing is appended where it names none. */
bool lf__api_add_url_model(lf__buf *out, lf__text url);
/* The URL as it may be recorded: scheme, host, port and path; of the query api-version, alt and beta. */
bool lf__api_add_url(lf__buf *out, lf__text url);

#endif
