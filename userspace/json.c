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

/* Serialized JSON owns its text until the object goes. */
static const char *serialize(struct json_object *object, int flags)
{
	return json_object_to_json_string_ext(object, flags | JSON_C_TO_STRING_NOSLASHESCAPE |
							      JSON_C_TO_STRING_SPACED);
}

void json_print(struct json_object *object)
{
	escape_json_put(stdout, serialize(object, JSON_C_TO_STRING_PRETTY));
	putchar('\n');
	json_object_put(object);
}

void json_print_line(struct json_object *object)
{
	escape_json_put(stdout, serialize(object, 0));
	json_object_put(object);
}
