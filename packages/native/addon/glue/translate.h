/* Every napi call that translates a value, wrapped once. A wrong argument throws and names itself. */
#pragma once

#define NAPI_VERSION 9
#include <node_api.h>

#include <cstddef>
#include <cstdint>

/* A piece of a JavaScript buffer. */
struct Bytes {
  void *data;
  size_t count;
};

/* What an error number is called and means. */
struct ErrnoText {
  char name[40];
  char reason[96];
};

void describe_errno(int64_t error, ErrnoText *text);

/* Throws a TypeError with code ERR_NATIVE_ARGUMENT: "function: name must be expected". */
void throw_argument(napi_env env, const char *function, const char *name, const char *expected);

/*
 * Throws an Error like Node's: code "EACCES", errno -13, syscall. `error` is -errno; `detail` (may be
 * null) ends the message.
 */
void throw_errno(napi_env env, int64_t error, const char *syscall, const char *detail = nullptr);

/* Throws an Error with a code of our own. */
void throw_error(napi_env env, const char *code, const char *message);

napi_value make_number(napi_env env, double value);
napi_value make_int32(napi_env env, int32_t value);

/* [fds[0], fds[1]], or throws like throw_errno when `result` is negative. */
napi_value pair_or_throw(napi_env env, int result, const int fds[2], const char *syscall);
napi_value make_text(napi_env env, const char *text);

/* A number for the caller, or the thrown error when it is -errno. */
napi_value number_or_throw(napi_env env, int64_t result, const char *syscall,
                           const char *detail = nullptr);

/* The arguments of one call, read in order; each reader returns false once it has thrown. */
template <size_t Count>
class Arguments {
 public:
  Arguments(napi_env env, napi_callback_info info, const char *function)
      : env_(env), function_(function) {
    size_t count = Count;
    napi_get_cb_info(env, info, &count, values_, nullptr, nullptr);
  }

  napi_value at(size_t index) const { return values_[index]; }

  /* Doubles first: napi_get_value_int32 would turn NaN into 0, which is a valid descriptor. */
  bool read_int32(size_t index, const char *name, int32_t *out) const {
    double value;
    if (napi_get_value_double(env_, values_[index], &value) == napi_ok && value >= INT32_MIN &&
        value <= INT32_MAX && value == static_cast<int32_t>(value)) {
      *out = static_cast<int32_t>(value);
      return true;
    }
    return wrong(name, "a 32-bit integer");
  }

  /* Whole numbers up to 2^53, for sizes and times. */
  bool read_int64(size_t index, const char *name, int64_t *out) const {
    double value;
    if (napi_get_value_double(env_, values_[index], &value) == napi_ok &&
        value >= -9007199254740992.0 && value <= 9007199254740992.0 &&
        value == static_cast<double>(static_cast<int64_t>(value))) {
      *out = static_cast<int64_t>(value);
      return true;
    }
    return wrong(name, "an integer");
  }

  bool read_bool(size_t index, const char *name, bool *out) const {
    return napi_get_value_bool(env_, values_[index], out) == napi_ok || wrong(name, "a boolean");
  }

  /* Text that fits and has no zero inside, since the kernel would stop there. */
  bool read_text(size_t index, const char *name, char *out, size_t size) const {
    size_t bytes;
    if (napi_get_value_string_utf8(env_, values_[index], nullptr, 0, &bytes) != napi_ok) {
      return wrong(name, "a string");
    }
    if (bytes >= size) return wrong(name, "shorter");
    napi_get_value_string_utf8(env_, values_[index], out, size, &bytes);
    for (size_t i = 0; i < bytes; i++) {
      if (out[i] == 0) return wrong(name, "a string without a zero byte");
    }
    return true;
  }

  bool read_array_buffer(size_t index, const char *name, Bytes *out) const {
    return napi_get_arraybuffer_info(env_, values_[index], &out->data, &out->count) == napi_ok ||
           wrong(name, "an ArrayBuffer");
  }

  bool read_uint8_array(size_t index, const char *name, Bytes *out) const {
    napi_typedarray_type type;
    if (napi_get_typedarray_info(env_, values_[index], &type, &out->count, &out->data, nullptr,
                                 nullptr) == napi_ok &&
        type == napi_uint8_array) {
      return true;
    }
    return wrong(name, "a Uint8Array");
  }

  /* `count` is in elements. */
  bool read_int32_array(size_t index, const char *name, int32_t **data, size_t *count) const {
    napi_typedarray_type type;
    void *address;
    if (napi_get_typedarray_info(env_, values_[index], &type, count, &address, nullptr, nullptr) ==
            napi_ok &&
        type == napi_int32_array) {
      *data = static_cast<int32_t *>(address);
      return true;
    }
    return wrong(name, "an Int32Array");
  }

  /* An array of at most `room` integers; null and undefined are an empty one. */
  bool read_int32_list(size_t index, const char *name, int32_t *out, size_t room,
                       size_t *count) const {
    *count = 0;
    napi_valuetype kind;
    napi_typeof(env_, values_[index], &kind);
    if (kind == napi_null || kind == napi_undefined) return true;
    uint32_t length;
    if (napi_get_array_length(env_, values_[index], &length) != napi_ok) {
      return wrong(name, "an array of integers");
    }
    if (length > room) return wrong(name, "a shorter array");
    for (uint32_t i = 0; i < length; i++) {
      napi_value element;
      double value;
      if (napi_get_element(env_, values_[index], i, &element) != napi_ok ||
          napi_get_value_double(env_, element, &value) != napi_ok || !(value >= INT32_MIN) ||
          value > INT32_MAX || value != static_cast<int32_t>(value)) {
        return wrong(name, "an array of integers");
      }
      out[i] = static_cast<int32_t>(value);
    }
    *count = length;
    return true;
  }

  bool wrong(const char *name, const char *expected) const {
    throw_argument(env_, function_, name, expected);
    return false;
  }

 private:
  napi_env env_;
  const char *function_;
  napi_value values_[Count];
};

/* Whether [offset, offset + length) lies inside the buffer. */
inline bool is_inside(const Bytes &buffer, int64_t offset, int64_t length) {
  return offset >= 0 && length >= 0 && offset + length <= static_cast<int64_t>(buffer.count);
}
