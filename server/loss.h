/* What a real server takes with a 200 and then drops, or counts otherwise than the client meant: it is worth a warning. The
 * names are bits of a set. */
#ifndef LOCAL_LOSS_H
#define LOCAL_LOSS_H

enum loss {
    LOSS_USAGE = 1 << 0,
    LOSS_COST = 1 << 1,
    LOSS_METADATA = 1 << 2,
    LOSS_COMPLETION_START = 1 << 3,
    LOSS_TYPE = 1 << 4,
    LOSS_SCORE = 1 << 5, /* of two scores of one id and one time in one batch */
    LOSS_CORRECTION = 1 << 6, /* of a session or a dataset run */
    LOSS_SCORE_CONFIG = 1 << 7,
    LOSS_COUNT = 8
};

#endif
