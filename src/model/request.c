#include "request.h"

#include "tree.h"

bool lf__request_read(lf__request *out, lf__api api, lf__text url, lf__text body, size_t most)
{
    lf__tree tree = {0};
    *out = (lf__request){.api = api};
    lf__buf_init(&out->model, most);
    lf__buf_init(&out->input, most);
    lf__buf_init(&out->parameters, most);
    lf__buf_init(&out->metadata, most);
    LF__BUF_ADD(&out->metadata, "\"url\":\"");
    lf__api_add_url(&out->metadata, url);
    LF__BUF_ADD(&out->metadata, "\"");
    if (lf__tree_read(&tree, body)) {
        lf__text model = lf__item_string(lf__item_member(lf__tree_root(&tree), "model"));
        lf__text messages = lf__item_json(lf__item_member(lf__tree_root(&tree), "messages"));
        if (model.size > 0)
            lf__buf_add(&out->model, model.at, model.size);
        else
            lf__api_add_url_model(&out->model, url);
        lf__text input = messages.size > 0 ? messages : body;
        lf__buf_add(&out->input, input.at, input.size);
    }
    lf__tree_done(&tree);
    return !out->model.failed && !out->input.failed;
}

void lf__request_done(lf__request *request)
{
    lf__buf_done(&request->model);
    lf__buf_done(&request->input);
    lf__buf_done(&request->parameters);
    lf__buf_done(&request->metadata);
}
