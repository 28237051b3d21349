/* Prompts over HTTP: creating versions, reading, listing, moving labels, deleting. */
#ifndef LOCAL_READ_PROMPTS_H
#define LOCAL_READ_PROMPTS_H

#include "api.h"

void post_prompt(api *a, const http_request *request, http_answer *answer);
void list_prompts(api *a, const http_request *request, http_answer *answer);
void read_prompt(api *a, const http_request *request, http_answer *answer);
void delete_prompt(api *a, const http_request *request, http_answer *answer);
void patch_prompt(api *a, const http_request *request, http_answer *answer);
void read_old_prompt(api *a, const http_request *request, http_answer *answer); /* the first way: ?name= */

#endif
