/* One filter for what others said (a server's answer, libcurl's words) before we repeat it in a line or an lf_error: the
 * client's secrets are taken out.
 */
#ifndef LF_SRC_SECRET_H
#define LF_SRC_SECRET_H

#include "config.h"

/* Replace by "(secret)": the secret key, the Basic authorization and the values of configured headers, whole or a long part of
 * one; and anything that begins with sk-lf-. The text becomes no longer. A quote is filtered after it was cut: the beginning of
 * a secret at its end is found, too. Any thread. */
void lf__secret_hide(char *text, const lf__config *config);

/* Overwrite by asterisks what looks like a key of any service: a word behind "Bearer", "Basic" or "key=", and a long word that
 * begins as the keys of providers of models do. JSON stays JSON. Any thread. */
void lf__secret_hide_by_look(char *text, size_t size);

#endif
