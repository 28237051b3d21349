/* Replays what the fuzzer kept: each file of a folder goes through the fuzzer's own entry. */
#ifndef TESTS_CORPUS_H
#define TESTS_CORPUS_H

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* `folder` from the top of the source, where tests run. seen[b]: how many files begin with byte b. */
static inline void replay_corpus(const char *folder, unsigned seen[256])
{
    DIR *files = opendir(folder);
    assert_non_null(files);
    for (struct dirent *entry; (entry = readdir(files)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        char path[512];
        uint8_t bytes[16384];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *stream = fopen(path, "rb");
        assert_non_null(stream);
        size_t size = fread(bytes, 1, sizeof bytes, stream);
        fclose(stream);
        assert_in_range(size, 1, sizeof bytes - 1); /* read as a whole */
        assert_int_equal(LLVMFuzzerTestOneInput(bytes, size), 0);
        seen[bytes[0]]++;
    }
    closedir(files);
}

#endif
