/* SPDX-License-Identifier: GPL-2.0-only */
/* The little that json-c lacks here: strings that are not UTF-8, full 64 bits, printing. */
#ifndef QCOWCTL_JSON_H
#define QCOWCTL_JSON_H

#include <json-c/json.h>
#include <stdint.h>

/* A string; bytes that are not UTF-8 become U+FFFD. */
struct json_object *json_text(const char *s);

/* A number without a sign. */
struct json_object *json_number(uint64_t number);

/* Print it with a newline, and free it. */
void json_print(struct json_object *object);

/* Print it on one line without a newline, and free it. */
void json_print_line(struct json_object *object);

#endif
