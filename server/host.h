/* For which hosts a server answers: the Host header names one of its own, or the request came by a name that somebody else
 * points at this machine. Pure. */
#ifndef LOCAL_HOST_H
#define LOCAL_HOST_H

#include "text.h"

typedef struct host_rules {
    const char *listening;      /* the name or address that the user gave */
    const char *const *allowed; /* further names and addresses */
    size_t allowed_count;
    bool any_address; /* it listens on all addresses of the machine */
} host_rules;

/* `given` is a Host header. Addresses of the loopback interface and localhost always fit. */
bool host_fits(const host_rules *rules, text given);

/* An address like 127.0.0.1 or ::1; also in brackets. */
bool host_is_loopback(text address);

#endif
