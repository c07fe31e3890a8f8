#include "../core/stream.h"

#include <cerrno>

#include "functions.h"

namespace {

/* (fd, buffer, offset, length): false once it has thrown; `span` is -EINVAL's null when outside. */
bool read_span(const Arguments<4> &arguments, int32_t *fd, iovec *span) {
  Bytes buffer;
  int32_t offset, length;
  if (!arguments.read_int32(0, "fd", fd) || !arguments.read_array_buffer(1, "buffer", &buffer) ||
      !arguments.read_int32(2, "offset", &offset) || !arguments.read_int32(3, "length", &length)) {
    return false;
  }
  bool inside = is_inside(buffer, offset, length) && buffer.data != nullptr;
  span->iov_base = inside ? static_cast<char *>(buffer.data) + offset : nullptr;
  span->iov_len = static_cast<size_t>(length);
  return true;
}

typedef int (*Transfer)(int fd, const iovec *spans, int count);

/* (fd, buffers, spans, count). The arrays may change between calls, so everything is checked anew. */
napi_value transfer(napi_env env, napi_callback_info info, const char *function, Transfer call) {
  Arguments<4> arguments(env, info, function);
  int32_t fd, count;
  int32_t *spans;
  size_t spans_count;
  if (!arguments.read_int32(0, "fd", &fd) ||
      !arguments.read_int32_array(2, "spans", &spans, &spans_count) ||
      !arguments.read_int32(3, "count", &count)) {
    return nullptr;
  }
  if (count < 0 || count > stream_spans_max || spans_count / 2 < static_cast<size_t>(count)) {
    return make_int32(env, -EINVAL);
  }
  iovec vector[stream_spans_max];
  for (int32_t i = 0; i < count; i++) {
    napi_value element;
    Bytes buffer;
    if (napi_get_element(env, arguments.at(1), static_cast<uint32_t>(i), &element) != napi_ok ||
        napi_get_arraybuffer_info(env, element, &buffer.data, &buffer.count) != napi_ok) {
      arguments.wrong("buffers", "an array of ArrayBuffers");
      return nullptr;
    }
    int32_t offset = spans[2 * i];
    int32_t length = spans[2 * i + 1];
    if (!is_inside(buffer, offset, length)) return make_int32(env, -EINVAL);
    vector[i].iov_base = static_cast<char *>(buffer.data) + offset;
    vector[i].iov_len = static_cast<size_t>(length);
  }
  return make_int32(env, call(fd, vector, count));
}

}  // namespace

napi_value socket_write_call(napi_env env, napi_callback_info info) {
  Arguments<4> arguments(env, info, "socketWrite");
  int32_t fd;
  iovec span;
  if (!read_span(arguments, &fd, &span)) return nullptr;
  if (span.iov_base == nullptr) return make_int32(env, -EINVAL);
  return make_int32(env, stream_write(fd, span.iov_base, span.iov_len));
}

napi_value socket_read_call(napi_env env, napi_callback_info info) {
  Arguments<4> arguments(env, info, "socketRead");
  int32_t fd;
  iovec span;
  if (!read_span(arguments, &fd, &span)) return nullptr;
  if (span.iov_base == nullptr) return make_int32(env, -EINVAL);
  return make_int32(env, stream_read(fd, span.iov_base, span.iov_len));
}

napi_value socket_writev_call(napi_env env, napi_callback_info info) {
  return transfer(env, info, "socketWritev", stream_writev);
}

napi_value socket_readv_call(napi_env env, napi_callback_info info) {
  return transfer(env, info, "socketReadv", stream_readv);
}
