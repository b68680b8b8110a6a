// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <stdlib.h>

#include "escape.h"
#include "json.h"

struct json_object *json_text(const char *s)
{
	char *utf8 = escape_utf8(s);
	struct json_object *object = json_object_new_string(utf8);

	free(utf8);
	return object;
}

struct json_object *json_number(uint64_t number)
{
	return json_object_new_uint64(number);
}

void json_print(struct json_object *object)
{
	puts(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PRETTY |
							    JSON_C_TO_STRING_NOSLASHESCAPE |
							    JSON_C_TO_STRING_SPACED));
	json_object_put(object);
}
