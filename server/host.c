#include "host.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { HOST_MAX = 254 }; /* the longest name of DNS, with its dot */

typedef struct host_address {
    bool is_4, is_6;
    struct in_addr four;
    struct in6_addr six;
} host_address;

static bool host_is_port(text t)
{
    int64_t port;
    return t.size > 0 && *t.at >= '0' && *t.at <= '9' && text_to_int(t, &port) && port <= UINT16_MAX;
}

/* Takes brackets, and in a name one dot at the end away. False when it is too long. */
static bool host_plain(text name, char out[HOST_MAX])
{
    if (name.size > 2 && *name.at == '[' && name.at[name.size - 1] == ']')
        name = (text){name.at + 1, name.size - 2};
    else if (name.size > 1 && name.at[name.size - 1] == '.')
        name.size--;
    if (name.size == 0 || name.size >= HOST_MAX || memchr(name.at, '\0', name.size) != NULL)
        return false;
    memcpy(out, name.at, name.size);
    out[name.size] = '\0';
    return true;
}

static host_address host_read_address(const char *name)
{
    host_address a = {0};
    a.is_4 = inet_pton(AF_INET, name, &a.four) == 1;
    a.is_6 = !a.is_4 && inet_pton(AF_INET6, name, &a.six) == 1;
    return a;
}

static bool host_is_own(const host_address *a)
{
    return (a->is_4 && (ntohl(a->four.s_addr) >> 24) == 127) || (a->is_6 && IN6_IS_ADDR_LOOPBACK(&a->six));
}

static bool host_same(const char *name, const host_address *address, const char *allowed)
{
    char plain[HOST_MAX];
    if (!host_plain(text_of(allowed), plain))
        return false;
    host_address other = host_read_address(plain);
    if (address->is_4)
        return other.is_4 && memcmp(&address->four, &other.four, sizeof other.four) == 0;
    if (address->is_6)
        return other.is_6 && memcmp(&address->six, &other.six, sizeof other.six) == 0;
    return strcasecmp(name, plain) == 0;
}

bool host_is_loopback(text address)
{
    char plain[HOST_MAX];
    if (!host_plain(address, plain))
        return false;
    host_address a = host_read_address(plain);
    return host_is_own(&a);
}

/* The name before the port; of an address in brackets, with them. */
static bool host_without_port(text given, text *out)
{
    const char *end = given.size > 0 && *given.at == '[' ? memchr(given.at, ']', given.size) : NULL;
    const char *colon = end != NULL ? (end + 1 < given.at + given.size ? end + 1 : NULL) : memchr(given.at, ':', given.size);
    *out = colon != NULL ? (text){given.at, (size_t)(colon - given.at)} : given;
    return colon == NULL || (*colon == ':' && host_is_port(text_from(given, out->size + 1)));
}

bool host_fits(const host_rules *rules, text given)
{
    char plain[HOST_MAX];
    text name;
    if (given.size == 0 || !host_without_port(text_trim(given), &name) || !host_plain(name, plain))
        return false;
    host_address address = host_read_address(plain);
    bool has_brackets = *name.at == '[';
    if (has_brackets != address.is_6) /* an address of version 6 stands in brackets, and nothing else does */
        return false;
    if (host_is_own(&address) || strcasecmp(plain, "localhost") == 0 || ((address.is_4 || address.is_6) && rules->any_address) ||
        host_same(plain, &address, rules->listening))
        return true;
    for (size_t i = 0; i < rules->allowed_count; i++)
        if (host_same(plain, &address, rules->allowed[i]))
            return true;
    return false;
}
