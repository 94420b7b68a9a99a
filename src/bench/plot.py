"""The soak as a picture. Standard library only."""

WIDTH, LEFT, RIGHT = 860, 60, 840
TOP, HEIGHT, APART = 106, 74, 40
GREY, INK, AXIS, BAND = "#4a5568", "#1a202c", "#a0aec0", "#edf2f7"
ORANGE, BLUE, GREEN, LIGHT = "#c05621", "#2b6cb0", "#276749", "#cbd5e0"
MB = 1e6


def text(x, y, words, colour, more=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}"{more}>{words}</text>\n'


def rates(samples, *names):
    """Per second, between each sample and the one before."""
    return [0.0] + [sum(b[n] - a[n] for n in names) / (b["at"] - a["at"]) for a, b in zip(samples, samples[1:])]


def values(samples, name, size=1.0):
    return [s[name] / size for s in samples]


def nice(most):
    """A round number that is not below."""
    for factor in (1, 2, 2.5, 3, 4, 5, 6, 8, 10):
        for power in range(-1, 6):
            if factor * 10 ** power >= most:
                yield factor * 10 ** power
                break


def picture(samples, faults, seconds):
    at = [s["at"] for s in samples]

    def x(second):
        return LEFT + (RIGHT - LEFT) * second / seconds

    charts = [
        ("answers a second", [("with credentials", BLUE, rates(samples, "issued"))]),
        ("answers a second", [("refused: stopped", LIGHT, rates(samples, "refused")),
                              ("told to wait", ORANGE, rates(samples, "told"))]),
        ("heap, MB", [("in use", LIGHT, values(samples, "jvm_heap_used_bytes", MB)),
                      ("after a collection", GREEN, values(samples, "jvm_heap_live_bytes", MB))]),
        ("direct memory, MB", [("", GREEN, values(samples, "jvm_direct_memory_bytes", MB))]),
        ("threads", [("", GREEN, values(samples, "process_threads"))]),
        ("file descriptors", [("open", GREEN, values(samples, "process_open_fds")),
                              ("connections among them", LIGHT, values(samples, "connections"))]),
        ("resident memory, MB", [("", GREEN, values(samples, "process_resident_memory_bytes", MB))]),
    ]
    bottom = TOP + len(charts) * (HEIGHT + APART) - APART
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 30}" font-family="sans-serif" '
           f'font-size="12">\n<rect width="{WIDTH}" height="{bottom + 30}" fill="#ffffff"/>\n']
    for begin, end, name in faults:
        svg.append(f'<rect x="{x(begin):.1f}" y="{TOP - 26}" width="{max(1.5, x(end) - x(begin)):.1f}" '
                   f'height="{bottom - TOP + 26}" fill="{BAND}"/>\n')
        middle, foot = (x(begin) + x(end)) / 2 + 3, TOP - 30
        svg.append(text(middle, foot, name, GREY, f' font-size="10" transform="rotate(-52 {middle:.1f} {foot})"'))
    for number, (title, lines) in enumerate(charts):
        top = TOP + number * (HEIGHT + APART)
        most = min(nice(max(max(line) for _, _, line in lines) * 1.05 or 1))
        for _, colour, line in lines:
            points = " ".join(f"{x(t):.1f},{top + HEIGHT * (1 - y / most):.1f}" for t, y in zip(at, line))
            svg.append(f'<polyline fill="none" stroke-width="1.2" stroke="{colour}" points="{points}"/>\n')
        svg.append(f'<path d="M{LEFT} {top} V{top + HEIGHT} H{RIGHT}" fill="none" stroke="{AXIS}"/>\n')
        svg.append(text(LEFT, top - 8, title, INK))
        place = LEFT + 6.4 * len(title) + 18
        for name, colour, _ in lines:
            svg.append(text(place, top - 8, name, GREY if colour == LIGHT else colour))
            place += 6.4 * len(name) + 14
        svg.append(text(LEFT - 6, top + 10, f"{most:,.0f}", GREY, ' text-anchor="end"'))
        svg.append(text(LEFT - 6, top + HEIGHT, "0", GREY, ' text-anchor="end"'))
    for minute in range(0, seconds // 60 + 1):
        svg.append(text(x(60 * minute), bottom + 18, f"{minute} min", GREY, ' text-anchor="middle"'))
    return "".join(svg) + "</svg>\n"
