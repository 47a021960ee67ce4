/* process_main.c: a process of a pool: reads calls from its socket, runs them, answers. It ends with its socket. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "exec/executor.h"
#include "exec/exports.h"
#include "exec/wire.h"
#include "exec/zygote.h"

/* No other stream: their descriptors are closed here, or others. */
static void flush(void) {
  fflush(stdout);
  fflush(stderr);
}

static bool receive_text(int fd, char *text, uint32_t size) {
  if (size >= WEFT__WIRE_TEXT_MAX || !weft__wire_receive(fd, text, size)) return false;
  text[size] = '\0';
  return true;
}

/* Answers whether the other end is still there. */
static bool answer(int fd, const weft__wire_response_t *response, const char *message, const void *result) {
  return weft__wire_send(fd, response, sizeof *response) && weft__wire_send(fd, message, response->message_size) &&
         weft__wire_send(fd, result, response->result_size);
}

static bool run_one(int fd, const weft_export_t *export_, weft_call_t *call) {
  weft__output_t output = {NULL, 0, false};
  weft__record_t *record = NULL;
  call->entry = export_->entry;
  call->name = export_->name;
  int status = weft__call_run(call, NULL, &output, &record);
  flush(); /* what it printed is there before its end is known */
  weft__wire_response_t response;
  memset(&response, 0, sizeof response); /* its padding crosses too */
  response.found = true;
  response.status = status;
  response.has_result = output.given;
  const char *message = record != NULL ? record->error.message : "";
  size_t length = strlen(message);
  response.message_size = (uint32_t)(length < WEFT__WIRE_TEXT_MAX ? length : WEFT__WIRE_TEXT_MAX - 1);
  response.context = record != NULL ? record->error.context : 0;
  response.result_size = (uint32_t)output.size;
  bool there = answer(fd, &response, message, output.data);
  weft__record_unref(record);
  weft__output_drop(&output);
  return there;
}

void weft__process_main(int fd) {
  static char file[WEFT__WIRE_TEXT_MAX], name[WEFT__WIRE_TEXT_MAX];
  for (;;) {
    weft__wire_request_t request;
    weft_call_t call;
    memset(&call, 0, sizeof call);
    if (!weft__wire_receive(fd, &request, sizeof request) || request.args_size > WEFT_CALL_BYTES) break;
    call.size = request.args_size;
    if (!receive_text(fd, file, request.file_size) || !receive_text(fd, name, request.name_size) ||
        !weft__wire_receive(fd, call.args.bytes, request.args_size))
      break;
    const weft_export_t *export_ = weft__export_find(file, name);
    weft__wire_response_t unknown;
    memset(&unknown, 0, sizeof unknown);
    if (!(export_ != NULL ? run_one(fd, export_, &call) : answer(fd, &unknown, NULL, NULL))) break;
  }
  flush();
  _exit(0); /* what the parent registered for its own exit is not ours to run */
}
