#include "../core/stream.h"

#include <cerrno>

#include "functions.h"

namespace {

bool read_buffer(napi_env env, napi_value buffers, int32_t index, Bytes *out) {
  napi_value element;
  return napi_get_element(env, buffers, static_cast<uint32_t>(index), &element) == napi_ok &&
         napi_get_arraybuffer_info(env, element, &out->data, &out->count) == napi_ok;
}

/* False if the span lies outside; nothing of it may reach the kernel then. */
bool fill_span(const Bytes &buffer, int32_t offset, int32_t length, iovec *span) {
  if (!is_inside(buffer, offset, length)) return false;
  span->iov_base = static_cast<char *>(buffer.data) + offset;
  span->iov_len = static_cast<size_t>(length);
  return true;
}

/* (fd, buffer, offset, length): false once it has thrown; `span` is -EINVAL's null when outside. */
bool read_span(const Arguments<4> &arguments, int32_t *fd, iovec *span) {
  Bytes buffer;
  int32_t offset, length;
  if (!arguments.read_int32(0, "fd", fd) || !arguments.read_array_buffer(1, "buffer", &buffer) ||
      !arguments.read_int32(2, "offset", &offset) || !arguments.read_int32(3, "length", &length)) {
    return false;
  }
  if (!fill_span(buffer, offset, length, span)) span->iov_base = nullptr;
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
    Bytes buffer;
    if (!read_buffer(env, arguments.at(1), i, &buffer)) {
      arguments.wrong("buffers", "an array of ArrayBuffers");
      return nullptr;
    }
    if (!fill_span(buffer, spans[2 * i], spans[2 * i + 1], &vector[i])) {
      return make_int32(env, -EINVAL);
    }
  }
  return make_int32(env, call(fd, vector, count));
}

/*
 * (fd, buffers, bufferCount, spans, count), a span being (index of the buffer, offset, length). Asking
 * JavaScript for an array's element costs as much as forty spans, so each buffer is asked for once.
 */
napi_value transfer_table(napi_env env, napi_callback_info info, const char *function,
                          Transfer call) {
  Arguments<5> arguments(env, info, function);
  int32_t fd, buffer_count, count;
  int32_t *spans;
  size_t spans_count;
  if (!arguments.read_int32(0, "fd", &fd) ||
      !arguments.read_int32(2, "bufferCount", &buffer_count) ||
      !arguments.read_int32_array(3, "spans", &spans, &spans_count) ||
      !arguments.read_int32(4, "count", &count)) {
    return nullptr;
  }
  if (count < 0 || count > stream_spans_max || spans_count / 3 < static_cast<size_t>(count) ||
      buffer_count < 0 || buffer_count > stream_spans_max) {
    return make_int32(env, -EINVAL);
  }
  Bytes buffers[stream_spans_max];
  for (int32_t i = 0; i < buffer_count; i++) {
    if (!read_buffer(env, arguments.at(1), i, &buffers[i])) {
      arguments.wrong("buffers", "an array of ArrayBuffers");
      return nullptr;
    }
  }
  iovec vector[stream_spans_max];
  for (int32_t i = 0; i < count; i++) {
    int32_t index = spans[3 * i];
    if (index < 0 || index >= buffer_count) return make_int32(env, -EINVAL);
    if (!fill_span(buffers[index], spans[3 * i + 1], spans[3 * i + 2], &vector[i])) {
      return make_int32(env, -EINVAL);
    }
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

napi_value socket_gather_call(napi_env env, napi_callback_info info) {
  return transfer_table(env, info, "socketGather", stream_writev);
}

napi_value socket_scatter_call(napi_env env, napi_callback_info info) {
  return transfer_table(env, info, "socketScatter", stream_readv);
}
