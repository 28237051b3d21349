/* Base64 data in JSON of model APIs: found, and replaced by the token that stands for a medium in Langfuse,
 * @@@langfuseMedia:type=image/png|id=...|source=base64_data_uri@@@. Pure.
 */
#ifndef LF_SRC_MEDIA_H
#define LF_SRC_MEDIA_H

#include "../base/buf.h"

/* Append JSON text with each medium in it replaced; all other bytes stay as they are. `media_type` is the type of media that do not
 * say their own (results of image models); NULL or "": by their first bytes. `json` is valid.
 *
 * Found are data URIs, also in the middle of a text; data beside media_type, mimeType, mime_type or the format of a sound
 * (Anthropic, Gemini, input_audio, audio of a reply); file_data, b64_json, image results; items of images and multimodal_data
 * (Ollama, llama.cpp). What says no type must look like data, too: it has the first bytes of a known type, padding, or 64 bytes
 * of base64. Any other base64 of more than a kilobyte becomes "<base64, 12345 bytes>", as does base64 at these places that is
 * broken, from 256 bytes on, and so do signatures and encrypted content. */
bool lf__media_add_json(lf__buf *out, lf__text json, const char *media_type);
/* The same for the value of a member that stands alone; its raw key tells what a list holds. */
bool lf__media_add_member(lf__buf *out, lf__text key, lf__text json, const char *media_type);

/* Append the token of bytes: the id is the first 22 characters of the base64url of their SHA-256. `source` is "bytes",
 * "base64_data_uri" or "file". */
bool lf__media_add_token(lf__buf *out, const char *type, const void *bytes, size_t size, const char *source);

/* The type of a sound or an image ("audio", "image") in a format of an API: "audio/wav"; "": the format is no name, or has no
 * room. */
void lf__media_type_of(char *out, size_t room, const char *kind, lf__text format);

/* The type of a file by its first bytes; "application/octet-stream" where they tell nothing. */
const char *lf__media_sniff(const void *bytes, size_t size);

#endif
