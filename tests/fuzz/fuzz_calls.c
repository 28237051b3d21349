/* Any bytes as calls; see calls.h. */
#include "calls.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t seed;
    if (size < sizeof seed)
        return 0;
    memcpy(&seed, data, sizeof seed);
    /* The memory of the thread is made once; small, so that its ends are reached. */
    calls_stack_bytes = 256 << 10;
    calls_ring_bytes = 1 << 20;
    calls_source.bytes = data;
    calls_source.size = size;
    calls_source.random = seed;
    calls_run("file:/dev/null");
    return 0;
}
