#include "translate.h"

#include <uv.h>

#include <cstdio>
#include <cstring>

void throw_argument(napi_env env, const char *function, const char *name, const char *expected) {
  char message[160];
  snprintf(message, sizeof message, "%s: %s must be %s", function, name, expected);
  napi_throw_type_error(env, "ERR_NATIVE_ARGUMENT", message);
}

/* libuv's names and texts, as Node's errors have them; the C library's for what libuv does not know. */
void describe_errno(int64_t error, ErrnoText *text) {
  const int number = static_cast<int>(error > 0 ? -error : error);
  uv_err_name_r(number, text->name, sizeof text->name);
  uv_strerror_r(number, text->reason, sizeof text->reason);
#ifdef __GLIBC__
  const char *known = strerrorname_np(-number);
  if (strncmp(text->name, "Unknown", 7) == 0 && known != nullptr) {
    snprintf(text->name, sizeof text->name, "%s", known);
    snprintf(text->reason, sizeof text->reason, "%s", strerrordesc_np(-number));
  }
#endif
}

void throw_errno(napi_env env, int64_t error, const char *syscall, const char *detail) {
  ErrnoText text;
  describe_errno(error, &text);
  char message[512];
  snprintf(message, sizeof message, "%s: %s, %s%s%s", text.name, text.reason, syscall,
           detail != nullptr ? " " : "", detail != nullptr ? detail : "");
  napi_value exception;
  if (napi_create_error(env, make_text(env, text.name), make_text(env, message), &exception) !=
      napi_ok) {
    return;
  }
  napi_set_named_property(env, exception, "errno", make_number(env, static_cast<double>(error)));
  napi_set_named_property(env, exception, "syscall", make_text(env, syscall));
  napi_throw(env, exception);
}

void throw_error(napi_env env, const char *code, const char *message) {
  napi_throw_error(env, code, message);
}

napi_value make_number(napi_env env, double value) {
  napi_value result = nullptr;
  napi_create_double(env, value, &result);
  return result;
}

napi_value make_int32(napi_env env, int32_t value) {
  napi_value result = nullptr;
  napi_create_int32(env, value, &result);
  return result;
}

napi_value make_text(napi_env env, const char *text) {
  napi_value result = nullptr;
  napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &result);
  return result;
}

napi_value number_or_throw(napi_env env, int64_t result, const char *syscall, const char *detail) {
  if (result >= 0) return make_number(env, static_cast<double>(result));
  throw_errno(env, result, syscall, detail);
  return nullptr;
}

napi_value pair_or_throw(napi_env env, int result, const int fds[2], const char *syscall) {
  if (result < 0) {
    throw_errno(env, result, syscall);
    return nullptr;
  }
  napi_value pair;
  napi_create_array_with_length(env, 2, &pair);
  napi_set_element(env, pair, 0, make_int32(env, fds[0]));
  napi_set_element(env, pair, 1, make_int32(env, fds[1]));
  return pair;
}
