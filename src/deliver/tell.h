/* The lines about deliveries. Each thing is said once of a client's observations, and once of its scores. */
#ifndef LF_SRC_TELL_H
#define LF_SRC_TELL_H

#include "../base/config.h"
#include "../base/json.h"
#include "../observe/record.h"
#include "http.h"

/* What the lines of one exporter have in common. Begins as zero; texts are borrowed. */
typedef struct lf__tell {
    const lf__config *config;
    const char *target; /* the file, or the server's address */
    const char *noun;   /* of an item */
    bool of_scores;
    int reasons; /* for refusing single events, so many were told */
} lf__tell;

void lf__tell_accepted(const lf__tell *tell, size_t count);
void lf__tell_unreachable(const lf__tell *tell, const char *why);
/* A whole request is refused; `not_found` is the likely cause of a 404. */
void lf__tell_refused(const lf__tell *tell, const lf__http_answer *answer, const char *not_found);
/* A partial success: so many of the items are refused, or none and the message is a warning, or nothing of either. */
void lf__tell_partial(const lf__tell *tell, size_t refused, size_t count, const char *message);
/* An event is refused: its type, and of the answer what is said of it. Few distinct reasons are told. */
void lf__tell_event_refused(lf__tell *tell, const lf__json_member *type, int status, const lf__text *said);
/* A record of this kind (lf__record.kind) is larger than a request may be. */
void lf__tell_too_large(const lf__tell *tell, unsigned kind, size_t size, size_t most);
void lf__tell_no_room(const lf__tell *tell);

#endif
