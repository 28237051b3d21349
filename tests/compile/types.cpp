/* Every type that can be captured, in C++. Compiled only. */
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <cjson/cJSON.h>

#include "observe.h"

namespace shapes {
struct point {
    int x, y;
};
inline lf_value lf_capture_value(const point &p)
{
    return lf_int(p.x + p.y);
}
enum class kind : short { one, two };
inline lf_value lf_capture_value(kind k)
{
    return lf_text(k == kind::one ? "one" : "two");
}
} // namespace shapes

struct other {
    char bytes[24];
};
union number {
    int i;
    double d;
};
enum color { RED, GREEN };
enum class letter : char { a, b };

#ifdef __SIZEOF_INT128__
__extension__ typedef __int128 wide_int;
__extension__ typedef unsigned __int128 wide_uint;
#else
typedef long wide_int;
typedef unsigned long wide_uint;
#endif

struct bits {
    unsigned u1 : 1, u3 : 3, u31 : 31, u32 : 32;
    int i2 : 2, i31 : 31;
    bool b1 : 1;
    unsigned long ul40 : 40;
    long long ll33 : 33;
    unsigned long long ull63 : 63;
    unsigned char uc : 5;
};

typedef int (*callback)(const char *, int);

int integers(char c, signed char sc, unsigned char uc, short s, unsigned short us, int i, unsigned u, long l, unsigned long ul,
             long long ll, unsigned long long ull, bool b);
int integers(char c, signed char sc, unsigned char uc, short s, unsigned short us, int i, unsigned u, long l, unsigned long ul,
             long long ll, unsigned long long ull, bool b)
{
    OBSERVE(c, sc, uc, s, us, i, u, l, ul, ll, ull, b, 'x', true, L'x', u'x');
    OBSERVE_OUTPUT(sc + uc);
    OBSERVE_RETURN(i);
}

uint64_t sized(size_t size, ptrdiff_t difference, int8_t i8, int16_t i16, int32_t i32, int64_t i64, uint8_t u8, uint16_t u16,
               uint32_t u32, uint64_t u64, uintptr_t up, wide_int wi, wide_uint wu);
uint64_t sized(size_t size, ptrdiff_t difference, int8_t i8, int16_t i16, int32_t i32, int64_t i64, uint8_t u8, uint16_t u16,
               uint32_t u32, uint64_t u64, uintptr_t up, wide_int wi, wide_uint wu)
{
    OBSERVE(size, difference, i8, i16, i32, i64, u8, u16, u32, u64, up, wi, wu);
    OBSERVE_RETURN(u64);
}

long double reals(float f, double d, long double ld);
long double reals(float f, double d, long double ld)
{
    OBSERVE(f, d, ld, f * 2, 1.0f, 1e9, 1.5L);
    OBSERVE_RETURN(ld);
}

const char *texts(char *text, const char *constant, char *const fixed, const std::string &string, std::string_view view);
const char *texts(char *text, const char *constant, char *const fixed, const std::string &string, std::string_view view)
{
    char array[8] = "x";
    static const char *const table[] = {"a", "b"};
    OBSERVE(text, constant, fixed, array, "literal", table[1], &array[1], string, view, string + "x", string.c_str(), string[0]);
    OBSERVE_OUTPUT(std::string("temporary"));
    OBSERVE_RETURN("literal");
}

color enums(color c, shapes::kind k, letter l);
color enums(color c, shapes::kind k, letter l)
{
    OBSERVE(c, k, l, RED, shapes::kind::two);
    OBSERVE_RETURN(c);
}

unsigned long bit_fields(bits b, const bits *p);
unsigned long bit_fields(bits b, const bits *p)
{
    OBSERVE(b.u1, b.u3, b.u31, b.u32, b.i2, b.i31, b.b1, b.ul40, b.ll33, b.ull63, b.uc, p->u1, p->ul40, p->ll33, p->b1);
    OBSERVE_RETURN(b.ul40);
}

cJSON *trees(cJSON *json, const cJSON *constant, cJSON tree);
cJSON *trees(cJSON *json, const cJSON *constant, cJSON tree)
{
    OBSERVE(json, constant, &tree, json->child);
    OBSERVE_RETURN(json);
}

int called_back(const char *text, int n);
int called_back(const char *text, int n)
{
    return text[0] + n;
}

void *pointers(void *p, const void *cp, int *ip, char **pp, callback fn, other *sp, volatile int *vp, int (*rows)[3],
               unsigned char *bytes, int other::*member, const std::unique_ptr<int> &owned, int &reference);
void *pointers(void *p, const void *cp, int *ip, char **pp, callback fn, other *sp, volatile int *vp, int (*rows)[3],
               unsigned char *bytes, int other::*member, const std::unique_ptr<int> &owned, int &reference)
{
    OBSERVE(p, cp, ip, pp, fn, sp, vp, rows, bytes, member, owned, owned.get(), reference, nullptr, called_back, &called_back);
    OBSERVE_RETURN(p);
}

int volatiles(volatile int &i, volatile float &f, volatile bool &b, volatile char &c, const volatile unsigned long *ul);
int volatiles(volatile int &i, volatile float &f, volatile bool &b, volatile char &c, const volatile unsigned long *ul)
{
    OBSERVE(i, f, b, c, *ul, ul);
    OBSERVE_RETURN(i);
}

void arrays(int *numbers, const double (&matrix)[3][3], const std::vector<double> &reals);
void arrays(int *numbers, const double (&matrix)[3][3], const std::vector<double> &reals)
{
    int own[4] = {0};
    shapes::point points[2] = {{0, 0}, {1, 1}};
    OBSERVE(own, numbers, matrix, points, lf_array(own, 4), lf_array(matrix[0], 3), lf_array(reals.data(), reals.size()));
}

void array_elements(bool *b, char *c, signed char *sc, unsigned char *uc, short *s, int *i, unsigned long long *ull, float *f,
                    double *d, char **t, const char *const *ct, void **p, color *e, letter *l, size_t n);
void array_elements(bool *b, char *c, signed char *sc, unsigned char *uc, short *s, int *i, unsigned long long *ull, float *f,
                    double *d, char **t, const char *const *ct, void **p, color *e, letter *l, size_t n)
{
    OBSERVE(lf_array(b, n), lf_array(c, n), lf_array(sc, n), lf_array(uc, n), lf_array(s, n), lf_array(i, n), lf_array(ull, n),
            lf_array(f, n), lf_array(d, n), lf_array(t, n), lf_array(ct, n), lf_array(p, n), lf_array(e, n), lf_array(l, n));
}

shapes::point structs(shapes::point point, const shapes::point &reference, other o, number n, const std::optional<int> &maybe);
shapes::point structs(shapes::point point, const shapes::point &reference, other o, number n, const std::optional<int> &maybe)
{
    OBSERVE(point, reference, o, n, maybe, lf_secret(o), lf_secret(point));
    OBSERVE_RETURN(point);
}

lf_value values(lf_value value, const char *text, size_t n);
lf_value values(lf_value value, const char *text, size_t n)
{
    OBSERVE(value, lf_json("{}"), lf_jsonn(text, n), lf_strn(text, n), lf_secret(text), LF_VALUE(n), lf_null(), lf_bool(true),
            lf_int(1), lf_uint(1), lf_double(0.5), lf_text(text), lf_pointer(text));
    OBSERVE_OUTPUT(LF_OBJECT("a", 1, "b", text, "c", LF_ARRAY(1, 2.0, text, LF_OBJECT("d", n))));
    OBSERVE_RETURN(LF_VALUE(3));
}
