"""Images that are whole, cut short or damaged, decoded with libpng."""
import common
from common import check_stats
from traces import Trees, check_lines, failed, node

TESTS, test = common.registry()
Host = common.Host
SIZE = 16


def row(y):
    return node("sum_row", {"y": y}, sum(x * y % 256 for x in range(SIZE)))


END_OF_DATA = node("end_of_data", None, None, "LEFT " + failed("cut short"))


def decoded(n):
    """The line of decode, and its result."""
    kind = n % 4
    header = node("read_header", None, SIZE)
    if kind == 0:
        total = sum(x * y % 256 for y in range(SIZE) for x in range(SIZE))
        return node("decode", {"n": n}, total, "", header, *map(row, range(SIZE))), total
    if kind == 1:
        children = [node("read_header", None, None, "LEFT", END_OF_DATA)]
    elif kind == 2:
        children = [header, node("sum_row", {"y": 0}, None, "LEFT", END_OF_DATA)]
    else:
        children = [node("read_header", None, None, "LEFT " + failed("IHDR: CRC error"))]
    return node("decode", {"n": n}, -1, failed(f"image {n} cannot be read"), *children), -1


def shown(n):
    line, result = decoded(n)
    report = node("report", {"n": n, "sum": result})
    return node("show", {"n": n}, result, "", line, report)


@test
def images_that_cannot_be_read_leave_whole_traces(host):
    path = host.trace_file()
    out = common.run([host.product("png"), "2000"], LANGFUSE_EXPORTER="file:" + path)
    trees = Trees(path)
    check_lines(trees.lines(), [shown(n) for n in range(2000)])
    check_stats(out, len(trees.spans))
