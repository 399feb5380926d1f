// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
#include "page.h"

#include <string.h>

/* NOLINTBEGIN(bugprone-macro-parentheses): these are declared */
#define EMBED(name, file)                         \
	extern const char name[], name##_end[];   \
	__asm__(".pushsection .rodata\n"          \
		".global " #name "\n" #name ":\n" \
		".incbin \"exporter/" file "\"\n" \
		".global " #name "_end\n" #name   \
		"_end:\n.byte 0\n.popsection\n")

/* NOLINTEND(bugprone-macro-parentheses) */

EMBED(sl_page_html, "page.html");
EMBED(sl_page_css, "page.css");
EMBED(sl_page_draw, "draw.js");
EMBED(sl_page_js, "page.js");
EMBED(sl_page_icon, "icon.svg");

static const struct sl_asset assets[] = {
	{ "/", "text/html; charset=utf-8", sl_page_html, sl_page_html_end },
	{ "/page.css", "text/css; charset=utf-8", sl_page_css,
	  sl_page_css_end },
	{ "/draw.js", "text/javascript; charset=utf-8", sl_page_draw,
	  sl_page_draw_end },
	{ "/page.js", "text/javascript; charset=utf-8", sl_page_js,
	  sl_page_js_end },
	{ "/icon.svg", "image/svg+xml", sl_page_icon, sl_page_icon_end },
};

const struct sl_asset *sl_page_find(const char *path)
{
	for (size_t i = 0; i < sizeof(assets) / sizeof(assets[0]); i++)
		if (strcmp(assets[i].path, path) == 0)
			return &assets[i];
	return NULL;
}
