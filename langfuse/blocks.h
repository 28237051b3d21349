/* Langfuse for C: which scopes stand around a place in the code, as the compiler knows it. Programs do not use it.
 *
 * LF_I_BLOCK_HAS_SCOPE(id) gives the block that it stands in a number, unless the block has one already, and a depth, one more
 * than that of the numbered block around; LF_I_BLOCK and LF_I_DEPTH are those of the innermost numbered block, 0 outside of
 * all. LF_I_AT adds the order in the text: in one block, what stands further down is not open yet. goto and longjmp run no end
 * of scope; by these numbers the library knows which scopes of a function can still be open where control is now.
 *
 * A tag may be declared again in its block, and is then the same type; in a block inside it is another. A typedef may be
 * repeated in its block with the same type. So the tag tells whether the block is new, and the typedef, an array type of
 * depth + 1 rows of number + 1 bytes, holds the numbers.
 *
 * C++ has no such types, and exceptions, which do run the ends. There all scopes of a function count as in one block that has
 * no number; only OBSERVE_CAUGHT asks for it.
 */
#ifndef LF_BLOCKS_H
#define LF_BLOCKS_H

/* The only reason for a file of its own: of names that a system header declares no compiler says that one shadows another. A
 * _Pragma in the macro does not do, since gcc before version 12 obeys it too early in the argument of another macro. */
#pragma GCC system_header

/* The block and the order in the text: __COUNTER__ grows with each use. Lines would not do, since a macro may write two scopes
 * in one, and generated code has lines of several files in one function. */
#define LF_I_AT (LF_I_CAST(uint64_t, LF_I_BLOCK) << 32 | (__COUNTER__ & 0xffffff))
#ifndef __cplusplus
struct lf_i_block;
typedef struct lf_i_block *lf_i_block_tag;
typedef char lf_i_block_numbers[1][1];
#define LF_I_BLOCK_ROW sizeof(((lf_i_block_numbers *)0)[0][0])
#define LF_I_BLOCK ((uint32_t)(LF_I_BLOCK_ROW - 1))
#define LF_I_DEPTH ((uint32_t)(sizeof(lf_i_block_numbers) / LF_I_BLOCK_ROW - 1))
#define LF_I_BLOCK_IS_NEW (!__builtin_types_compatible_p(lf_i_block_tag, struct lf_i_block *))
#define LF_I_BLOCK_HAS_SCOPE(id)                                                                                 \
    struct lf_i_block;                                                                                           \
    typedef char lf_i_block_numbers[LF_I_DEPTH + 1 + LF_I_BLOCK_IS_NEW][LF_I_BLOCK_IS_NEW ? (id) + 2 : LF_I_BLOCK_ROW] \
        __attribute__((unused));                                                                                 \
    typedef struct lf_i_block *lf_i_block_tag __attribute__((unused));
#define LF_I_HERE __func__, LF_I_AT
#else
#define LF_I_BLOCK UINT32_MAX
#define LF_I_DEPTH 1
#define LF_I_BLOCK_HAS_SCOPE(id)
#define LF_I_HERE LF_I_NO_TEXT, 0
#endif

#endif
