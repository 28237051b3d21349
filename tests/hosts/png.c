/* libpng reports an error by a longjmp to setjmp(png_jmpbuf(png)): through its own functions, and through callbacks of ours.
 *
 * png COUNT: decodes COUNT images, of which number n is whole, cut short or damaged, by n % 4.
 */
#include "observe.h"

#include <inttypes.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16, HEIGHT = 16, CAPACITY = 4096, HEADER = 33 };

typedef struct image {
    unsigned char data[CAPACITY];
    size_t size;
    size_t at; /* read so far */
} image;

/* ---- An image to decode --------------------------------------------------------------------------------------------- */

static void append(png_structp png, png_bytep data, size_t size)
{
    image *to = png_get_io_ptr(png);
    if (to->size + size > CAPACITY)
        png_error(png, "too large");
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

static void draw(image *to)
{
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png)))
        exit(2);
    png_set_write_fn(png, to, append, NULL);
    png_set_IHDR(png, info, WIDTH, HEIGHT, 8, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
                 PNG_FILTER_TYPE_DEFAULT);
    png_write_info(png, info);
    for (int y = 0; y < HEIGHT; y++) {
        unsigned char row[WIDTH];
        for (int x = 0; x < WIDTH; x++)
            row[x] = (unsigned char)(x * y);
        png_write_row(png, row);
    }
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
}

/* 0: whole; 1: ends in its header; 2: ends in its data; 3: a wrong checksum. */
static void spoil(image *it, int kind)
{
    if (kind == 1)
        it->size = HEADER - 10;
    else if (kind == 2)
        it->size = HEADER + 20;
    else if (kind == 3)
        it->data[HEADER - 1] ^= 1;
}

/* ---- Decoding ------------------------------------------------------------------------------------------------------- */

/* Called by libpng as often as it likes, so that only a failure is worth an observation. */
static void take(png_structp png, png_bytep data, size_t size)
{
    image *from = png_get_io_ptr(png);
    if (from->at + size > from->size) {
        OBSERVE_WITH((.name = "end_of_data", .type = LF_TOOL));
        png_error(png, "cut short");
    }
    memcpy(data, from->data + from->at, size);
    from->at += size;
}

/* The last word before the jump: said of the innermost that fails. */
static void on_error(png_structp png, png_const_charp message)
{
    OBSERVE_ERROR("%s", message);
    png_longjmp(png, 1);
}

static void on_warning(png_structp png, png_const_charp message)
{
    (void)png, (void)message;
}

static void read_header(png_structp png, png_infop info)
{
    OBSERVE();
    png_read_info(png, info);
    OBSERVE_OUTPUT(png_get_image_width(png, info));
}

static unsigned sum_row(png_structp png, int y)
{
    OBSERVE(y);
    unsigned char row[WIDTH];
    unsigned sum = 0;
    png_read_row(png, row, NULL);
    for (int x = 0; x < WIDTH; x++)
        sum += row[x];
    OBSERVE_RETURN(sum);
}

static int decode(image *from, int n)
{
    OBSERVE(n);
    volatile unsigned sum = 0;
    png_structp png = png_create_read_struct(PNG_LIBPNG_VER_STRING, NULL, on_error, on_warning);
    png_infop info = png_create_info_struct(png);
    if (setjmp(png_jmpbuf(png))) {
        OBSERVE_CAUGHT();
        OBSERVE_ERROR("image %d cannot be read", n);
        png_destroy_read_struct(&png, &info, NULL);
        OBSERVE_RETURN(-1);
    }
    png_set_read_fn(png, from, take);
    read_header(png, info);
    for (int y = 0; y < HEIGHT; y++)
        sum += sum_row(png, y);
    png_destroy_read_struct(&png, &info, NULL);
    OBSERVE_RETURN((int)sum);
}

static void report(int n, int sum)
{
    OBSERVE(n, sum);
}

static int show(const image *whole, int n)
{
    OBSERVE(n);
    image copy = *whole;
    spoil(&copy, n % 4);
    int sum = decode(&copy, n);
    report(n, sum);
    OBSERVE_RETURN(sum);
}

int main(int argc, char **argv)
{
    int count = argc > 1 ? atoi(argv[1]) : 1;
    static image whole;
    draw(&whole);
    for (int n = 0; n < count; n++)
        show(&whole, n);
    lf_status status = lf_flush(20000);
    lf_stats stats;
    lf_get_stats(&stats);
    printf("status %d accepted %" PRIu64 " delivered %" PRIu64 " open %" PRIu64 " misused %" PRIu64 "\n", status, stats.accepted,
           stats.delivered, stats.open, stats.misused);
    return 0;
}
