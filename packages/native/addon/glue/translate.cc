#include "translate.h"

#include <cstdio>

#include <uv.h>

void throw_argument(napi_env env, const char *function, const char *name, const char *expected) {
  char message[160];
  snprintf(message, sizeof message, "%s: %s must be %s", function, name, expected);
  napi_throw_type_error(env, "ERR_NATIVE_ARGUMENT", message);
}

void throw_errno(napi_env env, int64_t error, const char *syscall, const char *detail) {
  char code[32];
  char reason[96];
  uv_err_name_r(static_cast<int>(error), code, sizeof code);
  uv_strerror_r(static_cast<int>(error), reason, sizeof reason);
  char message[512];
  snprintf(message, sizeof message, "%s: %s, %s%s%s", code, reason, syscall,
           detail != nullptr ? " " : "", detail != nullptr ? detail : "");
  napi_value exception;
  if (napi_create_error(env, make_text(env, code), make_text(env, message), &exception) !=
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
