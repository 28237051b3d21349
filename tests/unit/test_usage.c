#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "../../src/base/json.h"
#include "../../src/model/usage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lf__buf details, costs;

static int set_up(void **state)
{
    (void)state;
    lf__buf_init(&details, 1 << 16);
    lf__buf_init(&costs, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lf__buf_done(&details);
    lf__buf_done(&costs);
    return 0;
}

static const char *text_of(lf__buf *buf)
{
    assert_true(lf__buf_add_char(buf, '\0'));
    return buf->data;
}

/* JSON that is written with single quotes here. */
static void quote(char *json, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (json[i] == '\'')
            json[i] = '"';
}

/* `json` in a block of its own size, so that a checker sees reading past it. */
static bool convert_for(const char *json, const char *model)
{
    size_t size = strlen(json), model_size = strlen(model);
    char *copy = malloc(size + 1), *name = malloc(model_size + 1);
    assert_non_null(copy);
    assert_non_null(name);
    memcpy(copy + 1, json, size);
    quote(copy + 1, size);
    memcpy(name + 1, model, model_size);
    lf__buf_clear(&details);
    lf__buf_clear(&costs);
    bool done = lf__usage_convert(&details, &costs, copy + 1, size, (lf__text){name + 1, model_size});
    free(copy);
    free(name);
    return done;
}

static bool convert(const char *json)
{
    return convert_for(json, "");
}

/* What a row is about: an API, or a rule. `unequal`: the total is not the sum, since the report contradicts itself. */
typedef struct usage_case {
    const char *of, *json, *details, *costs, *model;
    bool unequal;
} usage_case;

static const usage_case cases[] = {
    /* ---- OpenAI */
    {"chat", "{'prompt_tokens':10,'completion_tokens':5,'total_tokens':15}", .details = "{'input':10,'output':5,'total':15}"},
    {"chat, every detail",
     "{'completion_tokens_details':{'reasoning_tokens':100,'audio_tokens':20,'accepted_prediction_tokens':3,"
     "'rejected_prediction_tokens':9},'prompt_tokens_details':{'audio_tokens':7,'cached_tokens':30},"
     "'prompt_tokens':50,'total_tokens':250,'completion_tokens':200}",
     .details = "{'input':13,'output':80,'total':250,'input_cached_tokens':30,'output_reasoning_tokens':100,"
                "'input_audio_tokens':7,'output_audio_tokens':20}"},
    {"chat, details of 0",
     "{'prompt_tokens':9,'completion_tokens':6,'total_tokens':15,'prompt_tokens_details':{'cached_tokens':0,"
     "'audio_tokens':0},'completion_tokens_details':{'reasoning_tokens':0,'audio_tokens':0,"
     "'accepted_prediction_tokens':0,'rejected_prediction_tokens':0}}",
     .details = "{'input':9,'output':6,'total':15,'input_cached_tokens':0,'output_reasoning_tokens':0,"
                "'input_audio_tokens':0,'output_audio_tokens':0}"},
    {"chat, written to the cache",
     "{'prompt_tokens':1000,'completion_tokens':5,'total_tokens':1005,"
     "'prompt_tokens_details':{'cached_tokens':200,'cache_write_tokens':300}}",
     .details = "{'input':500,'output':5,'total':1005,'input_cached_tokens':200,'input_cache_creation':300}"},
    {"chat, spoken and written",
     "{'prompt_tokens':71,'completion_tokens':140,'total_tokens':211,"
     "'prompt_tokens_details':{'cached_tokens':0,'text_tokens':19,'image_tokens':10,'audio_tokens':42},"
     "'completion_tokens_details':{'reasoning_tokens':0,'text_tokens':30,'audio_tokens':110}}",
     .details = "{'input':10,'output':0,'total':211,'input_cached_tokens':0,'output_reasoning_tokens':0,"
                "'input_audio_tokens':42,'input_text_tokens':19,'output_audio_tokens':110,'output_text_tokens':30}"},
    {"chat, an image", "{'prompt_tokens':100,'prompt_tokens_details':{'text_tokens':20,'image_tokens':80}}",
     .details = "{'input':100}"},
    {"chat, nothing heard", "{'prompt_tokens':32,'prompt_tokens_details':{'text_tokens':32,'audio_tokens':0}}",
     .details = "{'input':32,'input_audio_tokens':0}"},
    {"chat, in camelCase",
     "{'promptTokens':10,'promptTokensDetails':{'cachedTokens':4},'completionTokens':5,'totalTokens':15,"
     "'completionTokensDetails':{'reasoningTokens':5}}",
     .details = "{'input':6,'output':0,'total':15,'input_cached_tokens':4,'output_reasoning_tokens':5}"},
    {"chat, details of null",
     "{'prompt_tokens':10,'completion_tokens':5,'total_tokens':15,'prompt_tokens_details':null,"
     "'completion_tokens_details':{'reasoning_tokens':null,'x':'y'}}",
     .details = "{'input':10,'output':5,'total':15}"},
    {"responses",
     "{'input_tokens':36,'input_tokens_details':{'cached_tokens':16,'cache_write_tokens':2,"
     "'cache_write_tokens_details':{'ttl_30m_tokens':2}},'output_tokens':87,"
     "'output_tokens_details':{'reasoning_tokens':80},'total_tokens':123}",
     .details = "{'input':18,'output':7,'total':123,'input_cached_tokens':16,'input_cache_creation':2,"
                "'output_reasoning_tokens':80}"},
    {"embeddings", "{'prompt_tokens':8,'total_tokens':8}", .details = "{'input':8,'total':8}"},
    {"images",
     "{'input_tokens':50,'input_tokens_details':{'text_tokens':10,'image_tokens':40},'output_tokens':60,"
     "'total_tokens':110,'output_tokens_details':{'text_tokens':0,'image_tokens':60}}",
     .details = "{'input':0,'output':0,'total':110,'input_text_tokens':10,'input_image_tokens':40,'output_text_tokens':0,"
                "'output_image_tokens':60}"},
    {"images, a text alone",
     "{'input_tokens':13,'input_tokens_details':{'text_tokens':13,'image_tokens':0},'output_tokens':60,"
     "'total_tokens':73}",
     .details = "{'input':0,'output':60,'total':73,'input_text_tokens':13,'input_image_tokens':0}"},
    {"transcription",
     "{'type':'tokens','input_tokens':14,'input_token_details':{'text_tokens':3,'audio_tokens':11},"
     "'output_tokens':45,'total_tokens':59}",
     .details = "{'input':0,'output':45,'total':59,'input_audio_tokens':11,'input_text_tokens':3}"},
    {"transcription, by time", "{'type':'duration','seconds':9}", .details = ""},
    {"realtime, a cached part of each",
     "{'total_tokens':340,'input_tokens':319,'output_tokens':21,'input_token_details':{'text_tokens':119,"
     "'audio_tokens':200,'image_tokens':0,'cached_tokens':64,'cached_tokens_details':{'text_tokens':64}},"
     "'output_token_details':{'text_tokens':5,'audio_tokens':16}}",
     .details = "{'input':55,'output':0,'total':340,'input_cached_tokens':64,'input_audio_tokens':200,"
                "'output_audio_tokens':16,'output_text_tokens':5}"},
    /* ---- What speaks OpenAI's dialect */
    {"OpenRouter",
     "{'prompt_tokens':20,'completion_tokens':12,'total_tokens':32,'cost':0.000123,'is_byok':false,"
     "'prompt_tokens_details':{'cached_tokens':0,'cache_write_tokens':5},"
     "'cost_details':{'upstream_inference_cost':1},'completion_tokens_details':{'reasoning_tokens':9}}",
     .details = "{'input':15,'output':3,'total':32,'input_cached_tokens':0,'input_cache_creation':5,"
                "'output_reasoning_tokens':9}",
     .costs = "{'total':0.000123}"},
    {"OpenRouter, free", "{'prompt_tokens':2,'completion_tokens':1,'total_tokens':3,'cost':0}",
     .details = "{'input':2,'output':1,'total':3}", .costs = "{'total':0}"},
    {"DeepSeek",
     "{'prompt_tokens':100,'completion_tokens':50,'total_tokens':150,"
     "'prompt_tokens_details':{'cached_tokens':64},'completion_tokens_details':{'reasoning_tokens':20},"
     "'prompt_cache_hit_tokens':64,'prompt_cache_miss_tokens':36}",
     .details = "{'input':36,'output':30,'total':150,'input_cached_tokens':64,'output_reasoning_tokens':20}"},
    {"DeepSeek, older",
     "{'prompt_cache_hit_tokens':64,'prompt_cache_miss_tokens':36,'prompt_tokens':100,'completion_tokens':50,"
     "'total_tokens':150}",
     .details = "{'input':36,'output':50,'total':150,'input_cached_tokens':64}"},
    {"details first",
     "{'prompt_cache_hit_tokens':99,'prompt_tokens':100,'prompt_tokens_details':{'cached_tokens':64},"
     "'cached_tokens':98}",
     .details = "{'input':36,'input_cached_tokens':64}"},
    {"Moonshot", "{'prompt_tokens':100,'completion_tokens':50,'total_tokens':150,'cached_tokens':64}",
     .details = "{'input':36,'output':50,'total':150,'input_cached_tokens':64}"},
    {"Mistral",
     "{'prompt_tokens':11,'completion_tokens':8,'total_tokens':19,'prompt_audio_seconds':3,'request_count':1,"
     "'num_cached_tokens':2,'prompt_token_details':{'cached_tokens':5},'service_tier':'default'}",
     .details = "{'input':9,'output':8,'total':19,'input_cached_tokens':2}"},
    {"Groq",
     "{'queue_time':0.04,'prompt_tokens':18,'prompt_time':0.0007,'completion_tokens':556,"
     "'completion_time':0.46,'total_tokens':574,'total_time':1}",
     .details = "{'input':18,'output':556,'total':574}"},
    {"xAI, cached text is text",
     "{'prompt_tokens':100,'completion_tokens':50,'total_tokens':150,"
     "'prompt_tokens_details':{'text_tokens':100,'cached_tokens':64}}",
     .details = "{'input':36,'output':50,'total':150,'input_cached_tokens':64}"},
    {"xAI, reasoning beside the completion",
     "{'prompt_tokens':32,'completion_tokens':9,'total_tokens':135,'prompt_tokens_details':{'text_tokens':32,"
     "'audio_tokens':0,'image_tokens':0,'cached_tokens':6},'completion_tokens_details':{'reasoning_tokens':94,"
     "'audio_tokens':0},'num_sources_used':2}",
     .details = "{'input':26,'output':9,'total':135,'input_cached_tokens':6,'output_reasoning_tokens':94,"
                "'input_audio_tokens':0,'output_audio_tokens':0}"},
    {"vLLM", "{'prompt_tokens':7,'total_tokens':9,'completion_tokens':2,'prompt_tokens_details':null,'kv_transfer':5}",
     .details = "{'input':7,'output':2,'total':9}"},
    {"Perplexity",
     "{'prompt_tokens':33,'completion_tokens':7163,'total_tokens':7196,'citation_tokens':19028,"
     "'num_search_queries':21,'reasoning_tokens':73997,'search_context_size':'low',"
     "'cost':{'input_tokens_cost':0.00003,'output_tokens_cost':0.057,'request_cost':0.005,"
     "'total_cost':0.06203}}",
     .details = "{'input':33,'output':7163,'total':7196}", .costs = "{'input':0.00003,'output':0.057,'total':0.06203}"},
    {"LiteLLM, of Claude",
     "{'prompt_tokens':2312,'completion_tokens':89,'total_tokens':2401,"
     "'prompt_tokens_details':{'cached_tokens':2000},'cache_read_input_tokens':2000,"
     "'cache_creation_input_tokens':300}",
     .details = "{'input':12,'output':89,'total':2401,'input_cached_tokens':2000,'input_cache_creation':300}"},
    {"LiteLLM, newer",
     "{'prompt_tokens':2312,'completion_tokens':89,'total_tokens':2401,"
     "'prompt_tokens_details':{'cached_tokens':2000,'cache_creation_tokens':300}}",
     .details = "{'input':12,'output':89,'total':2401,'input_cached_tokens':2000,'input_cache_creation':300}"},
    {"one count in two shapes", "{'prompt_tokens':10,'prompt_tokens_details':{'cached_tokens':4},'cache_read_input_tokens':4}",
     .details = "{'input':6,'input_cached_tokens':4}"},
    {"a prompt without what is cached",
     "{'prompt_tokens':36,'completion_tokens':50,'total_tokens':150,"
     "'prompt_tokens_details':{'cached_tokens':64}}",
     .details = "{'input':36,'output':50,'total':150,'input_cached_tokens':64}"},
    /* ---- Anthropic, Bedrock */
    {"Anthropic",
     "{'input_tokens':12,'cache_creation_input_tokens':300,'cache_read_input_tokens':2000,"
     "'cache_creation':{'ephemeral_5m_input_tokens':100,'ephemeral_1h_input_tokens':200},'output_tokens':89,"
     "'output_tokens_details':{'thinking_tokens':40},'service_tier':'standard',"
     "'server_tool_use':{'web_search_requests':1},'iterations':[{'input_tokens':9}],'fallback_credit':7}",
     .details = "{'input':12,'output':89,'total':2401,'input_cached_tokens':2000,'input_cache_creation_5m':100,"
                "'input_cache_creation_1h':200}"},
    {"Anthropic, the rest of what is written",
     "{'input_tokens':12,'cache_creation_input_tokens':300,'cache_creation':{'ephemeral_5m_input_tokens':0,"
     "'ephemeral_1h_input_tokens':200},'output_tokens':9}",
     .details = "{'input':12,'output':9,'total':321,'input_cache_creation':100,'input_cache_creation_5m':0,"
                "'input_cache_creation_1h':200}"},
    {"Anthropic, nothing written",
     "{'input_tokens':10,'cache_creation_input_tokens':0,'cache_creation':{'ephemeral_5m_input_tokens':0,"
     "'ephemeral_1h_input_tokens':0},'cache_read_input_tokens':0,'output_tokens':5}",
     .details = "{'input':10,'output':5,'total':15,'input_cached_tokens':0,'input_cache_creation_5m':0,"
                "'input_cache_creation_1h':0}"},
    {"Anthropic, without the parts", "{'input_tokens':10,'cache_creation_input_tokens':7,'cache_creation':null,'output_tokens':5}",
     .details = "{'input':10,'output':5,'total':22,'input_cache_creation':7}"},
    {"Anthropic, neither", "{'input_tokens':9,'output_tokens':1,'cache_creation_input_tokens':0}",
     .details = "{'input':9,'output':1,'total':10,'input_cache_creation':0}"},
    {"Bedrock", "{'inputTokens':10,'outputTokens':5,'totalTokens':24,'cacheReadInputTokens':6,'cacheWriteInputTokens':3}",
     .details = "{'input':10,'output':5,'total':24,'input_cached_tokens':6,'input_cache_creation':3}"},
    {"Bedrock, metrics",
     "{'inputTokenCount':10,'outputTokenCount':5,'invocationLatency':900,'cacheReadInputTokenCount':6,"
     "'cacheWriteInputTokenCount':0}",
     .details = "{'input':10,'output':5,'total':21,'input_cached_tokens':6,'input_cache_creation':0}"},
    /* ---- Gemini */
    {"Gemini",
     "{'promptTokenCount':270,'cachedContentTokenCount':200,'candidatesTokenCount':6,'totalTokenCount':300,"
     "'thoughtsTokenCount':15,'toolUsePromptTokenCount':9,'promptTokensDetails':[{'modality':'TEXT',"
     "'tokenCount':12},{'modality':'IMAGE','tokenCount':258}],'trafficType':'ON_DEMAND'}",
     .details = "{'input':79,'output':6,'total':300,'input_cached_tokens':200,'output_reasoning_tokens':15}",
     .model = "gemini-2.5-flash"},
    {"Gemini, in snake_case",
     "{'prompt_token_count':10,'candidates_token_count':5,'total_token_count':35,"
     "'cached_content_token_count':4,'thoughts_token_count':20}",
     .details = "{'input':6,'output':5,'total':35,'input_cached_tokens':4,'output_reasoning_tokens':20}"},
    {"Gemini, blocked", "{'promptTokenCount':8,'totalTokenCount':8,'cachedContentTokenCount':0,'thoughtsTokenCount':0}",
     .details = "{'input':8,'total':8,'output_reasoning_tokens':0}"},
    {"Gemini Flash hears",
     "{'promptTokenCount':300,'candidatesTokenCount':5,'totalTokenCount':305,'cachedContentTokenCount':100,"
     "'promptTokensDetails':[{'modality':'TEXT','tokenCount':50},{'modality':'AUDIO','tokenCount':250}],"
     "'cacheTokensDetails':[{'tokenCount':80,'modality':'AUDIO'},{'modality':'TEXT','tokenCount':20}]}",
     .details = "{'input':30,'output':5,'total':305,'input_cached_tokens':100,'input_audio_tokens':170}",
     .model = "models/gemini-2.5-flash-lite"},
    {"Gemini Pro hears", "{'promptTokenCount':300,'prompt_tokens_details':[{'modality':'AUDIO','token_count':250}]}",
     .details = "{'input':300}", .model = "gemini-2.5-pro"},
    {"Gemini, live", "{'promptTokenCount':3,'responseTokenCount':4,'totalTokenCount':7}",
     .details = "{'input':3,'output':4,'total':7}"},
    /* ---- Local servers */
    {"Ollama",
     "{'model':'qwen3:8b','message':{'role':'assistant','content':''},'done':true,'total_duration':5000000000,"
     "'load_duration':1000,'prompt_eval_count':26,'prompt_eval_duration':900,'eval_count':40,"
     "'eval_duration':3000000000,'context':[1,2]}",
     .details = "{'input':26,'output':40,'total':66}"},
    {"Ollama, a cached prompt", "{'eval_count':40,'eval_duration':3}", .details = "{'output':40,'total':40}"},
    {"llama.cpp",
     "{'content':'','tokens':[],'tokens_predicted':2,'tokens_evaluated':30,'tokens_cached':31,"
     "'generation_settings':{'n_predict':2},'timings':{'cache_n':20,'prompt_n':10,'prompt_ms':5,"
     "'predicted_n':2}}",
     .details = "{'input':10,'output':2,'total':32,'input_cached_tokens':20}"},
    {"llama.cpp, no cache", "{'tokens_predicted':2,'tokens_evaluated':30,'timings':{'cache_n':0,'prompt_n':30}}",
     .details = "{'input':30,'output':2,'total':32}"},
    {"llama.cpp, timings", "{'cache_n':20,'prompt_n':10,'prompt_ms':5,'predicted_n':2,'predicted_ms':9}",
     .details = "{'input':10,'output':2,'total':32,'input_cached_tokens':20}"},
    {"llama.cpp, timings inside", "{'timings':{'cache_n':20,'prompt_n':10,'predicted_n':2}}",
     .details = "{'input':10,'output':2,'total':32,'input_cached_tokens':20}"},
    /* ---- Cohere, LangChain, the AI SDK */
    {"llama.cpp, without timings", "{'tokens_evaluated':30,'tokens_predicted':2}", .details = "{'input':30,'output':2,'total':32}"},
    {"llama.cpp, timings beside details",
     "{'prompt_tokens':30,'prompt_tokens_details':{'cached_tokens':20},'timings':{'cache_n':21,'prompt_n':9}}",
     .details = "{'input':10,'total':30,'input_cached_tokens':20}"},
    {"Cohere",
     "{'billed_units':{'input_tokens':6772,'output_tokens':248.0,'search_units':1},"
     "'tokens':{'input_tokens':7596,'output_tokens':645},'cached_tokens':448}",
     .details = "{'input':6324,'output':248,'total':7020,'input_cached_tokens':448}"},
    {"Cohere, not billed", "{'tokens':{'input_tokens':76,'output_tokens':6}}", .details = "{'input':76,'output':6,'total':82}"},
    {"LangChain",
     "{'input_tokens':350,'output_tokens':240,'total_tokens':590,'input_token_details':{'audio':10,"
     "'cache_creation':200,'cache_read':100},'output_token_details':{'audio':10,'reasoning':200}}",
     .details = "{'input':40,'output':30,'total':590,'input_cached_tokens':100,'input_cache_creation':200,"
                "'output_reasoning_tokens':200,'input_audio_tokens':10,'output_audio_tokens':10}"},
    {"LangChain, of Claude",
     "{'input_tokens':350,'output_tokens':240,'total_tokens':590,'input_token_details':{'cache_creation':0,"
     "'ephemeral_5m_input_tokens':100,'ephemeral_1h_input_tokens':50,'cache_read':100}}",
     .details = "{'input':100,'output':240,'total':590,'input_cached_tokens':100,'input_cache_creation_5m':100,"
                "'input_cache_creation_1h':50}"},
    {"AI SDK", "{'inputTokens':100,'outputTokens':50,'totalTokens':150,'cachedInputTokens':64,'reasoningTokens':20}",
     .details = "{'input':36,'output':30,'total':150,'input_cached_tokens':64,'output_reasoning_tokens':20}"},
    {"AI SDK, with details",
     "{'inputTokens':100,'inputTokenDetails':{'noCacheTokens':30,'cacheReadTokens':64,'cacheWriteTokens':6},"
     "'outputTokens':50,'outputTokenDetails':{'textTokens':30,'reasoningTokens':20},'totalTokens':150,"
     "'cachedInputTokens':64,'reasoningTokens':20}",
     .details = "{'input':30,'output':30,'total':150,'input_cached_tokens':64,'input_cache_creation':6,"
                "'output_reasoning_tokens':20}"},
    {"AI SDK, details alone", "{'inputTokens':9,'inputTokenDetails':{'noCacheTokens':5,'cacheReadTokens':4},'outputTokens':1}",
     .details = "{'input':5,'output':1,'total':10,'input_cached_tokens':4}"},
    {"AI SDK, of Bedrock", "{'inputTokens':12,'outputTokens':9,'totalTokens':2021,'cachedInputTokens':2000}",
     .details = "{'input':12,'output':9,'total':2021,'input_cached_tokens':2000}"},
    /* ---- Langfuse */
    {"version 2", "{'input':10,'output':5,'total':15,'unit':'TOKENS','input_cost':0.1,'output_cost':0.2,'total_cost':0.3}",
     .details = "{'input':10,'output':5,'total':15}", .costs = "{'input':0.1,'output':0.2,'total':0.3}"},
    {"version 2, in camelCase", "{'input':10,'unit':'CHARACTERS','inputCost':1,'outputCost':2e-6,'totalCost':3}",
     .details = "{'input':10}", .costs = "{'input':1,'output':2e-6,'total':3}"},
    {"a total alone", "{'total':20,'unit':7}", .details = "{'total':20}", .unequal = true},
    {"own names", "{'input':10,'output':5,'total':15,'input_cached_tokens':3,'output_reasoning_tokens':2}",
     .details = "{'input':10,'output':5,'total':15,'input_cached_tokens':3,'output_reasoning_tokens':2}", .unequal = true},
    {"own names, all of them",
     "{'input':1,'output':2,'total':231,'input_cached_tokens':3,'input_cache_creation':4,"
     "'input_cache_creation_5m':5,'input_cache_creation_1h':6,'output_reasoning_tokens':7,"
     "'input_audio_tokens':8,'input_text_tokens':9,'input_image_tokens':10,'output_audio_tokens':11,"
     "'output_text_tokens':12,'output_image_tokens':13,'input_cache_read':14,'cache_write_tokens':15,"
     "'input_cached_text_tokens':16,'input_cached_audio_tokens':17,'input_text':18,'input_audio':19,"
     "'input_image':20,'input_modality_1':21,'output_text':0,'output_audio':0,'output_reasoning':0,"
     "'output_modality_1':0,'grounding_queries':5,'webSearchQueries':6}",
     .details = "{'input':1,'output':2,'total':231,'input_cached_tokens':3,'input_cache_creation':4,"
                "'input_cache_creation_5m':5,'input_cache_creation_1h':6,'output_reasoning_tokens':7,"
                "'input_audio_tokens':8,'input_text_tokens':9,'input_image_tokens':10,'output_audio_tokens':11,"
                "'output_text_tokens':12,'output_image_tokens':13,'input_cache_read':14,'cache_write_tokens':15,"
                "'input_cached_text_tokens':16,'input_cached_audio_tokens':17,'input_text':18,'input_audio':19,"
                "'input_image':20,'input_modality_1':21,'output_text':0,'output_audio':0,'output_reasoning':0,"
                "'output_modality_1':0,'grounding_queries':5,'web_search_queries':6}"},
    {"own names, another's part", "{'input':5,'output':5,'reasoning_tokens':3}",
     .details = "{'input':5,'output':5,'output_reasoning_tokens':3}"},
    {"own names, with details", "{'input':10,'input_tokens_details':{'cached_tokens':4}}",
     .details = "{'input':6,'input_cached_tokens':4}"},
    {"searches are no tokens", "{'input_tokens':5,'output_tokens':5,'web_search_queries':3}",
     .details = "{'input':5,'output':5,'total':10,'web_search_queries':3}"},
    {"parts without a side", "{'input_tokens_details':{'cached_tokens':4,'audio_tokens':2},'reasoning_tokens':5}",
     .details = "{'input_cached_tokens':4,'output_reasoning_tokens':5,'input_audio_tokens':2}"},
    /* ---- Reports that contradict themselves */
    {"a part larger than its side", "{'prompt_tokens':3,'total_tokens':3,'prompt_tokens_details':{'cached_tokens':4}}",
     .details = "{'input':0,'total':3,'input_cached_tokens':4}", .unequal = true},
    {"more sound than input", "{'prompt_tokens':3,'total_tokens':3,'prompt_tokens_details':{'audio_tokens':4}}",
     .details = "{'input':0,'total':3,'input_audio_tokens':3}"},
    {"a total of something else", "{'prompt_tokens':3,'completion_tokens':1,'total_tokens':7}",
     .details = "{'input':3,'output':1,'total':7}", .unequal = true},
    {"the last one counts", "{'prompt_tokens':10,'input_tokens':11,'total_tokens':11}", .details = "{'input':11,'total':11}"},
    /* ---- Numbers */
    {"others are left out", "{'input':1,'images':2,'seconds':2.50,'a\\'b':1,'':2,'\xC3\xA9':3}", .details = "{'input':1}"},
    {"no numbers", "{'input':null,'output':'5','input_text':true,'input_audio':[1],'input_image':{'k':1},'total':0}",
     .details = "{'total':0}"},
    {"no whole numbers", "{'input':1.5,'output':-1,'input_text':1e3,'input_audio':-0,'input_image':12.0,'output_text':0.0}",
     .details = "{'input_image':12,'output_text':0}"},
    {"13 digits", "{'input':9999999999999,'output':10000000000000,'total':9999999999999.0}",
     .details = "{'input':9999999999999,'total':9999999999999}"},
    {"blanks", " { 'input' : 1 } ", .details = "{'input':1}"},
    {"nothing", "{}", .details = ""},
    {"a unit", "{'unit':'TOKENS'}", .details = ""},
    /* ---- Costs */
    {"a cost that is none", "{'cost':-1,'input_cost':'1','output_cost':null}", .details = ""},
    {"costs of another's object", "{'cost':{'total_cost':null,'input_cost':1}}", .details = ""},
    {"a sum", "{'input_cost':0.1,'output_cost':0.2}", .details = "", .costs = "{'input':0.1,'output':0.2,'total':0.3}"},
    {"a sum with exponents", "{'input_cost':2.50e-6,'output_cost':12E+1}", .details = "",
     .costs = "{'input':2.50e-6,'output':12E+1,'total':120.0000025}"},
    {"a sum of one", "{'output_cost':7}", .details = "", .costs = "{'output':7,'total':7}"},
    {"more places than count", "{'input_cost':0.1234567890129,'output_cost':1e-400}", .details = "",
     .costs = "{'input':0.1234567890129,'output':1e-400,'total':0.123456789012}"},
    {"more digits than count", "{'input_cost':0.3333333333333333333333333333333333,'output_cost':0}", .details = "",
     .costs = "{'input':0.3333333333333333333333333333333333,'output':0,'total':0.333333333333}"},
    {"too much for a sum", "{'input_cost':1e300,'output_cost':1}", .details = "", .costs = "{'input':1e300,'output':1}"},
};

static uint64_t number_of(const lf__json_member *member)
{
    return strtoull(member->value, NULL, 10);
}

static bool is_key(const lf__json_member *member, const char *key)
{
    return lf__text_equals((lf__text){member->key, member->key_size}, lf__text_of(key));
}

/* Do the tokens in `json` add up to its total, if it has one? */
static bool adds_up(const char *json)
{
    lf__json_member member;
    uint64_t sum = 0, total = UINT64_MAX;
    for (size_t at = 0; lf__json_next_member(json, strlen(json), &at, &member);) {
        if (is_key(&member, "total"))
            total = number_of(&member);
        else if (!is_key(&member, "grounding_queries") && !is_key(&member, "web_search_queries"))
            sum += number_of(&member);
    }
    return total == UINT64_MAX || total == sum;
}

static void every_usual_shape_gives_counts_that_add_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const usage_case *row = &cases[i];
        char wanted[1000], wanted_costs[LF__USAGE_COSTS_MAX];
        snprintf(wanted, sizeof wanted, "%s", row->details);
        snprintf(wanted_costs, sizeof wanted_costs, "%s", row->costs == NULL ? "" : row->costs);
        quote(wanted, strlen(wanted));
        quote(wanted_costs, strlen(wanted_costs));
        assert_true(convert_for(row->json, row->model == NULL ? "" : row->model));
        bool valid = (details.length == 0 || lf__json_valid(details.data, details.length)) &&
                     (costs.length == 0 || lf__json_valid(costs.data, costs.length)) && costs.length <= LF__USAGE_COSTS_MAX;
        if (strcmp(text_of(&details), wanted) != 0 || strcmp(text_of(&costs), wanted_costs) != 0 || !valid)
            fail_msg("%s: %s\ngives    %s %s\nand not  %s %s", row->of, row->json, details.data, costs.data, wanted, wanted_costs);
        if (adds_up(details.data) == row->unequal)
            fail_msg("%s: %s is not the sum", row->of, details.data);
    }
}

/* Nothing is taken off twice: what was translated once stays as it is. */
static void what_is_translated_stays_as_it_is(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char once[1000];
        snprintf(once, sizeof once, "%s", cases[i].details[0] == '\0' ? "{}" : cases[i].details);
        quote(once, strlen(once));
        assert_true(convert(once));
        assert_string_equal(text_of(&details), cases[i].details[0] == '\0' ? "" : once);
    }
}

static void the_names_that_are_read_are_known(void **state)
{
    (void)state;
    static const char *const known[] = {"input",      "total",       "prompt_tokens",    "promptTokens",       "inputCost",
                                        "eval_count", "input_audio", "webSearchQueries", "thoughtsTokenCount", "reasoning_tokens"};
    static const char *const unknown[] = {
        "", "mine", "images", "seconds", "prompt_tokens_details", "text_tokens", "total_duration"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        assert_true(lf__usage_knows(lf__text_of(known[i])));
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++)
        assert_false(lf__usage_knows(lf__text_of(unknown[i])));
}

static void what_is_no_object_is_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "5", "[]", "[1]", "\"{}\"", "null", "{", "{\"input\":}", "{\"input\":1", "{} {}"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        assert_false(convert(texts[i]));
        assert_int_equal(details.length + costs.length, 0);
    }
}

static void keys_and_numbers_have_a_bound(void **state)
{
    (void)state;
    char json[1000], long_text[300];
    for (int size = 1; size < 300; size++) {
        memset(long_text, size % 2 == 0 ? 'k' : 'K', sizeof long_text);
        snprintf(json, sizeof json, "{\"%.*s\":1,\"input_tokens_details\":{\"%.*s\":1},\"input\":5}", size, long_text, size,
                 long_text);
        assert_true(convert(json));
        assert_string_equal(text_of(&details), "{\"input\":5}");
    }
    memset(long_text, '7', sizeof long_text);
    snprintf(json, sizeof json, "{\"input\":%.200s,\"total_cost\":%.65s,\"output_cost\":%.64s}", long_text, long_text, long_text);
    assert_true(convert(json));
    assert_int_equal(details.length, 0);
    snprintf(json, sizeof json, "{\"output\":%.64s}", long_text);
    assert_string_equal(text_of(&costs), json);
    /* The most that costs may be. */
    snprintf(json, sizeof json, "{\"input_cost\":%.64s,\"output_cost\":%.64s,\"cost\":%.64s}", long_text, long_text, long_text);
    assert_true(convert(json));
    assert_in_range(costs.length, 3 * 64, LF__USAGE_COSTS_MAX);
}

static void what_does_not_fit_leaves_nothing_behind(void **state)
{
    (void)state;
    static const char json[] = "{\"prompt_tokens\":10,\"prompt_tokens_details\":{\"cached_tokens\":4},\"inputCost\":1.5}";
    assert_true(convert(json));
    size_t all[2] = {details.length, costs.length};
    for (size_t which = 0; which < 2; which++) {
        for (size_t size = 0; size <= all[which]; size++) {
            char memory[128] = "..";
            lf__buf small;
            lf__buf_over(&small, memory, 2 + size);
            small.length = 2;
            lf__buf_clear(&details);
            lf__buf *out[2] = {which == 0 ? &small : &details, which == 1 ? &small : &details};
            bool done = lf__usage_convert(out[0], out[1], json, sizeof json - 1, (lf__text){NULL, 0});
            assert_int_equal(done, size == all[which]);
            assert_int_equal(small.length, size == all[which] ? 2 + size : 2);
            assert_int_equal(details.length, size == all[which] ? all[1 - which] : 0);
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_usual_shape_gives_counts_that_add_up),
        TEST(what_is_translated_stays_as_it_is),
        TEST(the_names_that_are_read_are_known),
        TEST(what_is_no_object_is_refused),
        TEST(keys_and_numbers_have_a_bound),
        TEST(what_does_not_fit_leaves_nothing_behind),
    };
    return cmocka_run_group_tests_name("usage", tests, NULL, NULL);
}
