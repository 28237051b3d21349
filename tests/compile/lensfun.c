/* lensfun is a library whose names begin with lf_ and LF_, too. A program can use both: its names here, by hand, before our
 * headers and behind them. */
#define LF_VERSION_MAJOR 0
#define LF_VERSION_MINOR 3
#define LF_VERSION_MICRO 3
#define LF_VERSION_BUGFIX 0
#define LF_VERSION ((LF_VERSION_MAJOR << 24) | (LF_VERSION_MINOR << 16) | (LF_VERSION_MICRO << 8) | LF_VERSION_BUGFIX)
#define LF_EXPORT extern __attribute__((visibility("default")))

typedef enum { LF_NO_ERROR = 0, LF_WRONG_FORMAT, LF_NO_DATABASE } lfError;

#include "observe.h"
#include "langfuse/prompt.h"
#include "langfuse/score.h"

typedef char *lfMLstr;
typedef struct lfDatabase lfDatabase;
typedef struct lfLens lfLens;
enum { LF_UNKNOWN, LF_RECTILINEAR, LF_FISHEYE, LF_PANORAMIC };
enum { LF_MODIFY_TCA = 1, LF_MODIFY_VIGNETTING = 2, LF_MODIFY_ALL = ~0 };
typedef unsigned char lf_u8;
typedef unsigned short lf_u16;
typedef float lf_f32;

LF_EXPORT void lf_free(void *data);
LF_EXPORT const char *lf_mlstr_get(const lfMLstr text);
LF_EXPORT lfDatabase *lf_db_new(void);
LF_EXPORT lfError lf_db_load(lfDatabase *database);
LF_EXPORT void lf_db_destroy(lfDatabase *database);
LF_EXPORT lfLens *lf_lens_new(void);

int correct(const char *path, lf_f32 focal);
int correct(const char *path, lf_f32 focal)
{
    OBSERVE_TOOL(path, focal);
    lfDatabase *database = lf_db_new();
    lfError error = lf_db_load(database);
    if (error != LF_NO_ERROR)
        OBSERVE_ERROR("lensfun %d: %d", LF_VERSION, error);
    lf_update_current_observation(.metadata = LF_OBJECT("lensfun", LF_VERSION, "langfuse", LANGFUSE_VERSION));
    lf_prompt *prompt = lf_get_prompt("describe", .fallback = "Describe.");
    lf_prompt_free(prompt);
    lf_score_current_observation(.name = "loaded", .value = error == LF_NO_ERROR);
    lf_db_destroy(database);
    OBSERVE_RETURN(error == LF_NO_ERROR);
}
