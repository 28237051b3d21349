/* Every type that can be captured, in every place where a value is taken. Compiled only. */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cjson/cJSON.h>

struct point {
    int x, y;
};
struct other {
    char bytes[24];
};
union number {
    int i;
    double d;
};
typedef struct point point_alias;
struct deep {
    struct deep *next;
};

#define LF_CAPTURE_TYPES struct point : point_value, struct deep * : deep_value
#include "observe.h"

static inline lf_value point_value(struct point point)
{
    return lf_int(point.x + point.y);
}

static inline lf_value deep_value(const struct deep *deep)
{
    return lf_bool(deep->next == NULL);
}

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 wide_int;
__extension__ typedef unsigned __int128 wide_uint;
#else
typedef long wide_int;
typedef unsigned long wide_uint;
#endif

enum color { RED, GREEN };
enum sign { MINUS = -1, PLUS = 1 };

struct bits {
    unsigned u1 : 1, u3 : 3, u8 : 8, u31 : 31, u32 : 32;
    int i2 : 2, i5 : 5, i31 : 31, i32 : 32;
    __extension__ bool b1 : 1;
    __extension__ unsigned long ul40 : 40;
    __extension__ unsigned long ul64 : 64;
    __extension__ long l7 : 7;
    __extension__ long long ll33 : 33;
    __extension__ unsigned long long ull63 : 63;
    __extension__ enum color color : 4;
    __extension__ unsigned char uc : 5;
    __extension__ short s : 9;
};

typedef int (*callback)(const char *, int);

int integers(char c, signed char sc, unsigned char uc, short s, unsigned short us, int i, unsigned u, long l, unsigned long ul,
             long long ll, unsigned long long ull, bool b);
int integers(char c, signed char sc, unsigned char uc, short s, unsigned short us, int i, unsigned u, long l, unsigned long ul,
             long long ll, unsigned long long ull, bool b)
{
    OBSERVE(c, sc, uc, s, us, i, u, l, ul, ll, ull, b);
    OBSERVE_OUTPUT(c);
    OBSERVE_OUTPUT(sc + uc);
    OBSERVE_OUTPUT('x');
    OBSERVE_OUTPUT(true);
    OBSERVE_OUTPUT(b && i);
    OBSERVE_OUTPUT(-i);
    OBSERVE_OUTPUT(i ? u : 3u);
    OBSERVE_RETURN(i);
}

uint64_t sized(size_t size, ptrdiff_t difference, int8_t i8, int16_t i16, int32_t i32, int64_t i64, uint8_t u8, uint16_t u16,
               uint32_t u32, uint64_t u64, ssize_t ss, intmax_t im, uintptr_t up, wide_int wi, wide_uint wu);
uint64_t sized(size_t size, ptrdiff_t difference, int8_t i8, int16_t i16, int32_t i32, int64_t i64, uint8_t u8, uint16_t u16,
               uint32_t u32, uint64_t u64, ssize_t ss, intmax_t im, uintptr_t up, wide_int wi, wide_uint wu)
{
    OBSERVE(size, difference, i8, i16, i32, i64, u8, u16, u32, u64, ss, im, up, wi, wu);
    OBSERVE_OUTPUT(wi);
    OBSERVE_RETURN(u64);
}

long double reals(float f, double d, long double ld, float _Complex fc);
long double reals(float f, double d, long double ld, float _Complex fc)
{
    OBSERVE(f, d, ld, f * 2, 1.0f, 1e9, 1.5L, fc);
    OBSERVE_RETURN(ld);
}

const char *texts(char *text, const char *constant, char *const fixed);
const char *texts(char *text, const char *constant, char *const fixed)
{
    char array[8] = "x";
    const char constant_array[] = "y";
    static const char *const table[] = {"a", "b"};
    OBSERVE(text, constant, fixed, array, constant_array, "literal",
            "two"
            " parts",
            table[1], &array[1], text ? text : "");
    OBSERVE_OUTPUT(array);
    OBSERVE_OUTPUT("literal");
    OBSERVE_RETURN("literal");
}

int enums(enum color color, enum sign sign);
int enums(enum color color, enum sign sign)
{
    OBSERVE(color, sign, RED, PLUS);
    OBSERVE_RETURN(color == RED ? GREEN : RED);
}

unsigned long bits(struct bits b, const struct bits *p);
unsigned long bits(struct bits b, const struct bits *p)
{
    OBSERVE(b.u1, b.u3, b.u8, b.u31, b.u32, b.i2, b.i5, b.i31, b.i32, b.b1, b.ul40, b.l7, b.ll33, b.ull63, b.color, b.uc);
    OBSERVE_TOOL(p->u1, p->u3, p->u8, p->u31, p->u32, p->i2, p->i5, p->i31, p->i32, p->b1, p->ul40, p->l7, p->ll33, p->ull63);
    OBSERVE_CHAIN(b.s, p->s, b.ul64);
    OBSERVE_OUTPUT(b.ul40);
    OBSERVE_OUTPUT(p->ll33);
    (void)lf_secret(b.ul40);
    OBSERVE_RETURN(b.ul40);
}

unsigned long long wide_bits(const struct bits *p);
unsigned long long wide_bits(const struct bits *p)
{
    OBSERVE(p->ull63, LF_OBJECT("wide", p->ull63));
    OBSERVE_RETURN(p->ull63);
}

bool bool_bit(const struct bits *p);
bool bool_bit(const struct bits *p)
{
    OBSERVE();
    OBSERVE_RETURN(p->b1);
}

cJSON *trees(cJSON *json, const cJSON *constant, cJSON tree);
cJSON *trees(cJSON *json, const cJSON *constant, cJSON tree)
{
    OBSERVE(json, constant, &tree, json->child);
    OBSERVE_RETURN(json);
}

static int called_back(const char *text, int n)
{
    return text[0] + n;
}

void *pointers(void *p, const void *cp, int *ip, const double *dp, char **pp, const char *const *cpp, callback fn, struct point *sp,
               volatile int *vp, struct bits *bp, int (*rows)[3], unsigned char *bytes, signed char *sbytes, volatile void *vvp,
               volatile char *vcp);
void *pointers(void *p, const void *cp, int *ip, const double *dp, char **pp, const char *const *cpp, callback fn, struct point *sp,
               volatile int *vp, struct bits *bp, int (*rows)[3], unsigned char *bytes, signed char *sbytes, volatile void *vvp,
               volatile char *vcp)
{
    OBSERVE(p, cp, ip, dp, pp, cpp, fn, sp, vp, bp, rows, bytes, sbytes, vvp, vcp, NULL);
    OBSERVE_TOOL(called_back, &called_back, *fn, (void *)0, &p, (const char *)NULL);
    OBSERVE_OUTPUT(fn);
    OBSERVE_OUTPUT(NULL);
    OBSERVE_RETURN(p);
}

callback returns_function(int n);
callback returns_function(int n)
{
    OBSERVE(n);
    OBSERVE_RETURN(called_back);
}

char *returns_null(int n);
char *returns_null(int n)
{
    OBSERVE(n);
    if (n > 0)
        OBSERVE_RETURN(0);
    OBSERVE_RETURN(NULL);
}

int volatiles(volatile int i, volatile float f, volatile bool b, char *volatile text, const volatile unsigned long *ul);
int volatiles(volatile int i, volatile float f, volatile bool b, char *volatile text, const volatile unsigned long *ul)
{
    volatile struct point point = {1, 2};
    OBSERVE(i, f, b, text, *ul, point.x, ul);
    OBSERVE_RETURN(i);
}

void arrays(int rows, const int numbers[], double matrix[3][3]);
void arrays(int rows, const int numbers[], double matrix[3][3])
{
    int own[4] = {0};
    int grid[2][2] = {{0}};
    struct point points[2] = {{0, 0}};
    OBSERVE(own, numbers, grid, matrix, grid[1], points, lf_array(own, 4), lf_array(numbers, rows), lf_array(matrix[0], 3),
            lf_array(grid[1], 2));
}

void array_elements(bool *b, char *c, signed char *sc, unsigned char *uc, short *s, unsigned short *us, int *i, unsigned *u,
                    long *l, unsigned long *ul, long long *ll, unsigned long long *ull, float *f, double *d, char **t,
                    const char *const *ct, void **p, enum color *e, size_t n);
void array_elements(bool *b, char *c, signed char *sc, unsigned char *uc, short *s, unsigned short *us, int *i, unsigned *u,
                    long *l, unsigned long *ul, long long *ll, unsigned long long *ull, float *f, double *d, char **t,
                    const char *const *ct, void **p, enum color *e, size_t n)
{
    OBSERVE(lf_array(b, n), lf_array(c, n), lf_array(sc, n), lf_array(uc, n), lf_array(s, n), lf_array(us, n), lf_array(i, n),
            lf_array(u, n), lf_array(l, n), lf_array(ul, n), lf_array(ll, n), lf_array(ull, n), lf_array(f, n));
    OBSERVE_TOOL(lf_array(d, n), lf_array(t, n), lf_array(ct, n), lf_array(p, n), lf_array(e, n), lf_array((const int *)i, 3));
    OBSERVE_OUTPUT(lf_array(ct, n));
}

struct point structs(struct point point, const struct point *p, point_alias alias, struct other other, union number number,
                     struct deep *deep);
struct point structs(struct point point, const struct point *p, point_alias alias, struct other other, union number number,
                     struct deep *deep)
{
    OBSERVE(point, *p, alias, other, number, deep, ((struct point){1, 2}), &point);
    OBSERVE_OUTPUT(other);
    (void)lf_secret(other);
    (void)lf_secret(point);
    OBSERVE_RETURN(point);
}

struct other opaque(struct other other, const union number *number);
struct other opaque(struct other other, const union number *number)
{
    OBSERVE(other, *number);
    OBSERVE_RETURN(other);
}

lf_value values(lf_value value, const char *text, size_t n);
lf_value values(lf_value value, const char *text, size_t n)
{
    OBSERVE(value, lf_json("{}"), lf_jsonn(text, n), lf_strn(text, n), lf_secret(text), LF_VALUE(n), lf_null(), lf_bool(true),
            lf_int(1), lf_uint(1), lf_double(0.5), lf_text(text), lf_pointer(text));
    OBSERVE_OUTPUT(LF_OBJECT("a", 1, "b", text, "c", LF_ARRAY(1, 2.0, text)));
    OBSERVE_OUTPUT(LF_ARRAY(1));
    OBSERVE_OUTPUT(LF_ARRAY(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16));
    OBSERVE_OUTPUT(LF_OBJECT("1", 1, "2", 2, "3", 3, "4", 4, "5", 5, "6", 6, "7", 7, "8", 8));
    OBSERVE_OUTPUT(LF_TAGS("a", text));
    lf_value local = LF_VALUE(3);
    OBSERVE_RETURN(local);
}
