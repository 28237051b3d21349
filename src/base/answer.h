/* What the body of an answer says: whether it is an answer of the server that was meant, how much of a request the server did
 * not take, and the gist of a refusal. Bodies may be cut off, and may be any bytes. Pure.
 */
#ifndef LF_SRC_ANSWER_H
#define LF_SRC_ANSWER_H

#include "base.h"

enum { LF__ANSWER_TEXT = 200 }; /* bytes of a server's text that are worth a line */

/* Is it a page (HTML, XML)? Captive portals, proxies and other programs answer with pages. */
bool lf__answer_is_page(const char *body, size_t size);

/* The partial success of an OTLP receiver. */
typedef struct lf__answer_partial {
    uint64_t rejected;                 /* spans; may be more than were sent */
    char message[LF__ANSWER_TEXT + 1]; /* one line; with 0 spans a warning, or "" */
} lf__answer_partial;

/* Read an ExportTraceServiceResponse, as protobuf or as JSON, with which some receivers answer all requests. All zero when the
 * body is another text, or empty. */
void lf__answer_read_partial(lf__answer_partial *out, const char *body, size_t size);

/* The same of an answer to a list of scores: {"accepted":1,"rejected":1,"errors":[{"message":"..."}]}. The messages are joined.
 * Of one that is cut, what is there counts; a message tells of one that cannot be read. */
void lf__answer_read_rejected(lf__answer_partial *out, const char *body, size_t size);

/* The version that a server tells of itself: {"version":"4.59.0"}. False: the body is something else. */
bool lf__answer_read_version(const char *body, size_t size, unsigned *out_major, unsigned *out_minor);

/* Write the gist of a refusal, in whatever shape the server or a proxy worded it: one line without control characters, cut to
 * fit, at the end of a character. Of a validator's list the first entry is told, without the content that it quotes. */
void lf__answer_text(char *out, size_t room, const char *body, size_t size);

#endif
