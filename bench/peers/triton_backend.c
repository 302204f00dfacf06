/*
 * A Triton backend that runs SavedModels by TensorFlow's C API. Triton has dropped its own TensorFlow backend; with this
 * one its server, scheduler and dynamic batcher can be measured on the same models and the same libtensorflow as ours.
 *
 * Triton loads one library per backend, calls ModelInitialize for each model, and then, on a thread for each instance of
 * the model, ModelInstanceExecute with a batch of requests. A batch is gathered into one tensor for each input and run
 * once, and each request is answered with its rows.
 *
 * The model's folder holds, beside config.pbtxt and 1/model.savedmodel, a text session.txt (see triton-repository.ts):
 *
 *     threads INTRA INTER            as in TensorFlow's ConfigProto; 0: its default, INTER -1: the caller's thread
 *     input NAME OPERATION INDEX     what the signature calls it, and where it is in the graph
 *     output NAME OPERATION INDEX
 *
 * Left out, as the benchmark needs none of it: strings, tensors on a GPU, outputs that were not asked for, statistics.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tensorflow/c/c_api.h"

/* The part of Triton's C interface (2.51) that is used. Its headers are not in the wheel. */

typedef struct TRITONSERVER_Error TRITONSERVER_Error;
typedef struct TRITONBACKEND_Model TRITONBACKEND_Model;
typedef struct TRITONBACKEND_ModelInstance TRITONBACKEND_ModelInstance;
typedef struct TRITONBACKEND_Request TRITONBACKEND_Request;
typedef struct TRITONBACKEND_Response TRITONBACKEND_Response;
typedef struct TRITONBACKEND_Input TRITONBACKEND_Input;
typedef struct TRITONBACKEND_Output TRITONBACKEND_Output;

enum { ERROR_INTERNAL = 1, ERROR_INVALID_ARGUMENT = 3 };
enum { MEMORY_CPU = 0 };
enum { RELEASE_ALL = 1, RESPONSE_FINAL = 1 };

TRITONSERVER_Error* TRITONSERVER_ErrorNew(int code, const char* message);
void TRITONSERVER_ErrorDelete(TRITONSERVER_Error* error);
TRITONSERVER_Error* TRITONBACKEND_ModelRepository(TRITONBACKEND_Model*, int* kind, const char** folder);
TRITONSERVER_Error* TRITONBACKEND_ModelSetState(TRITONBACKEND_Model*, void* state);
TRITONSERVER_Error* TRITONBACKEND_ModelState(TRITONBACKEND_Model*, void** state);
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceModel(TRITONBACKEND_ModelInstance*, TRITONBACKEND_Model**);
TRITONSERVER_Error* TRITONBACKEND_RequestInput(TRITONBACKEND_Request*, const char* name, TRITONBACKEND_Input**);
TRITONSERVER_Error* TRITONBACKEND_RequestRelease(TRITONBACKEND_Request*, uint32_t flags);
TRITONSERVER_Error* TRITONBACKEND_InputProperties(TRITONBACKEND_Input*, const char** name, int* datatype,
                                                  const int64_t** shape, uint32_t* rank, uint64_t* bytes,
                                                  uint32_t* buffers);
TRITONSERVER_Error* TRITONBACKEND_InputBuffer(TRITONBACKEND_Input*, uint32_t index, const void** data, uint64_t* bytes,
                                              int* memory, int64_t* memory_id);
TRITONSERVER_Error* TRITONBACKEND_ResponseNew(TRITONBACKEND_Response**, TRITONBACKEND_Request*);
TRITONSERVER_Error* TRITONBACKEND_ResponseOutput(TRITONBACKEND_Response*, TRITONBACKEND_Output**, const char* name,
                                                 int datatype, const int64_t* shape, uint32_t rank);
TRITONSERVER_Error* TRITONBACKEND_OutputBuffer(TRITONBACKEND_Output*, void** data, uint64_t bytes, int* memory,
                                               int64_t* memory_id);
TRITONSERVER_Error* TRITONBACKEND_ResponseSend(TRITONBACKEND_Response*, uint32_t flags, TRITONSERVER_Error* error);

/* Triton's number for a dtype is the index of TensorFlow's. 0: no dtype, or none that is carried here. */
static const int dtypes[] = {0,        TF_BOOL,  TF_UINT8, TF_UINT16, TF_UINT32, TF_UINT64, TF_INT8,    TF_INT16,
                             TF_INT32, TF_INT64, TF_HALF,  TF_FLOAT,  TF_DOUBLE, 0,         TF_BFLOAT16};
enum { DTYPES = sizeof dtypes / sizeof dtypes[0] };

enum { MAX_TENSORS = 16, MAX_RANK = 8, MAX_NAME = 256, MAX_FILE = 1024 };

/* The tensors of one side of the signature. */
typedef struct {
  int count;
  char names[MAX_TENSORS][MAX_NAME];
  TF_Output places[MAX_TENSORS];
} Side;

typedef struct {
  TF_Graph* graph;
  TF_Session* session;
  Side inputs, outputs;
} SavedModel;

static TRITONSERVER_Error* failure(int code, const char* what, const char* detail) {
  char message[2 * MAX_FILE];
  snprintf(message, sizeof message, "%s: %s", what, detail);
  return TRITONSERVER_ErrorNew(code, message);
}

/* Gives a TRITONSERVER_Error on to the caller. */
#define TRY(call)                           \
  do {                                      \
    TRITONSERVER_Error* error_ = (call);    \
    if (error_ != NULL) return error_;      \
  } while (0)

/* Loading */

/* Appends an int32 field of a protobuf: its tag, and a varint of the sign-extended value. */
static size_t put_int32(uint8_t* out, int field, int32_t value) {
  size_t size = 0;
  out[size++] = (uint8_t)(field << 3);
  uint64_t rest = (uint64_t)(int64_t)value;
  for (; rest >= 0x80; rest >>= 7) out[size++] = (uint8_t)(rest | 0x80);
  out[size++] = (uint8_t)rest;
  return size;
}

static TRITONSERVER_Error* load_session(SavedModel* model, const char* folder, int intra, int inter) {
  enum { INTRA_OP_PARALLELISM_THREADS = 2, INTER_OP_PARALLELISM_THREADS = 5 };
  char path[MAX_FILE];
  snprintf(path, sizeof path, "%s/1/model.savedmodel", folder);
  uint8_t config[32];
  size_t size = put_int32(config, INTRA_OP_PARALLELISM_THREADS, intra);
  size += put_int32(config + size, INTER_OP_PARALLELISM_THREADS, inter);
  const char* tags[] = {"serve"};
  TF_Status* status = TF_NewStatus();
  TF_SessionOptions* options = TF_NewSessionOptions();
  TF_SetConfig(options, config, size, status);
  model->graph = TF_NewGraph();
  if (TF_GetCode(status) == TF_OK) {
    model->session =
        TF_LoadSessionFromSavedModel(options, NULL, path, tags, 1, model->graph, NULL, status);
  }
  TRITONSERVER_Error* error =
      TF_GetCode(status) == TF_OK ? NULL : failure(ERROR_INTERNAL, path, TF_Message(status));
  TF_DeleteSessionOptions(options);
  TF_DeleteStatus(status);
  return error;
}

static TRITONSERVER_Error* add_tensor(Side* side, TF_Graph* graph, const char* name, const char* operation, int index) {
  if (side->count == MAX_TENSORS) return failure(ERROR_INVALID_ARGUMENT, name, "too many tensors");
  TF_Operation* found = TF_GraphOperationByName(graph, operation);
  if (found == NULL) return failure(ERROR_INVALID_ARGUMENT, operation, "the graph has no such operation");
  strcpy(side->names[side->count], name);
  side->places[side->count++] = (TF_Output){found, index};
  return NULL;
}

/* Reads session.txt; `threads` comes first. */
static TRITONSERVER_Error* read_session(SavedModel* model, const char* folder, FILE* file) {
  int intra, inter;
  if (fscanf(file, "threads %d %d\n", &intra, &inter) != 2) {
    return failure(ERROR_INVALID_ARGUMENT, folder, "session.txt does not begin with threads");
  }
  TRY(load_session(model, folder, intra, inter));
  char kind[8], name[MAX_NAME], operation[MAX_NAME];
  int index;
  while (fscanf(file, "%7s %255s %255s %d\n", kind, name, operation, &index) == 4) {
    Side* side = strcmp(kind, "input") == 0 ? &model->inputs : &model->outputs;
    TRY(add_tensor(side, model->graph, name, operation, index));
  }
  return NULL;
}

static void delete_model(SavedModel* model) {
  TF_Status* status = TF_NewStatus();
  if (model->session != NULL) TF_DeleteSession(model->session, status);
  if (model->graph != NULL) TF_DeleteGraph(model->graph);
  TF_DeleteStatus(status);
  free(model);
}

TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* triton_model) {
  int kind;
  const char* folder;
  TRY(TRITONBACKEND_ModelRepository(triton_model, &kind, &folder));
  char path[MAX_FILE];
  snprintf(path, sizeof path, "%s/session.txt", folder);
  FILE* file = fopen(path, "r");
  if (file == NULL) return failure(ERROR_INVALID_ARGUMENT, path, "cannot be read");
  SavedModel* model = calloc(1, sizeof *model);
  TRITONSERVER_Error* error = read_session(model, folder, file);
  fclose(file);
  if (error == NULL) error = TRITONBACKEND_ModelSetState(triton_model, model);
  if (error != NULL) delete_model(model);
  return error;
}

TRITONSERVER_Error* TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model* triton_model) {
  void* model;
  TRY(TRITONBACKEND_ModelState(triton_model, &model));
  delete_model(model);
  return NULL;
}

/* Running */

typedef struct {
  TRITONBACKEND_Request** requests;
  uint32_t count;
  /* Of each request, and of all. */
  int64_t* rows;
  int64_t total;
} Batch;

/* An input of one request, as Triton holds it: in one buffer or several. */
typedef struct {
  TRITONBACKEND_Input* handle;
  int datatype;
  const int64_t* shape;
  uint32_t rank;
  uint64_t bytes;
  uint32_t buffers;
} Part;

static TRITONSERVER_Error* find_part(TRITONBACKEND_Request* request, const char* name, Part* part) {
  const char* same_name;
  TRY(TRITONBACKEND_RequestInput(request, name, &part->handle));
  TRY(TRITONBACKEND_InputProperties(part->handle, &same_name, &part->datatype, &part->shape, &part->rank,
                                    &part->bytes, &part->buffers));
  bool carried = part->datatype > 0 && part->datatype < DTYPES && dtypes[part->datatype] != 0;
  if (!carried || part->rank == 0 || part->rank > MAX_RANK || part->shape[0] == 0) {
    return failure(ERROR_INVALID_ARGUMENT, name, "a dtype or shape that this backend does not carry");
  }
  return NULL;
}

static TRITONSERVER_Error* count_rows(const SavedModel* model, Batch* batch) {
  for (uint32_t i = 0; i < batch->count; i++) {
    Part part;
    TRY(find_part(batch->requests[i], model->inputs.names[0], &part));
    batch->rows[i] = part.shape[0];
    batch->total += part.shape[0];
  }
  return NULL;
}

/* Copies one request's rows to `out`, where there are `room` bytes. */
static TRITONSERVER_Error* copy_part(const Part* part, uint8_t* out, uint64_t room) {
  for (uint32_t i = 0; i < part->buffers; i++) {
    const void* data;
    uint64_t bytes;
    int memory = MEMORY_CPU;
    int64_t memory_id = 0;
    TRY(TRITONBACKEND_InputBuffer(part->handle, i, &data, &bytes, &memory, &memory_id));
    if (memory != MEMORY_CPU || bytes > room) {
      return failure(ERROR_INVALID_ARGUMENT, "input", "not in the processor's memory, or too long");
    }
    memcpy(out, data, bytes);
    out += bytes;
    room -= bytes;
  }
  return NULL;
}

/* One tensor of the rows that all requests have of an input. */
static TRITONSERVER_Error* gather(const Batch* batch, const char* name, TF_Tensor** tensor) {
  Part first;
  TRY(find_part(batch->requests[0], name, &first));
  int64_t dims[MAX_RANK];
  memcpy(dims, first.shape, first.rank * sizeof dims[0]);
  dims[0] = batch->total;
  uint64_t row = first.bytes / (uint64_t)first.shape[0];
  uint64_t room = row * (uint64_t)batch->total;
  *tensor = TF_AllocateTensor((TF_DataType)dtypes[first.datatype], dims, (int)first.rank, room);
  uint8_t* out = TF_TensorData(*tensor);
  for (uint32_t i = 0; i < batch->count; i++) {
    Part part;
    TRY(find_part(batch->requests[i], name, &part));
    if (part.bytes != row * (uint64_t)batch->rows[i]) {
      return failure(ERROR_INVALID_ARGUMENT, name, "rows of the requests in a batch differ in size");
    }
    TRY(copy_part(&part, out, room));
    out += part.bytes;
    room -= part.bytes;
  }
  return NULL;
}

static TRITONSERVER_Error* run(const SavedModel* model, const Batch* batch, TF_Tensor** inputs, TF_Tensor** outputs) {
  for (int i = 0; i < model->inputs.count; i++) TRY(gather(batch, model->inputs.names[i], &inputs[i]));
  TF_Status* status = TF_NewStatus();
  TF_SessionRun(model->session, NULL, model->inputs.places, inputs, model->inputs.count, model->outputs.places, outputs,
                model->outputs.count, NULL, 0, NULL, status);
  TRITONSERVER_Error* error =
      TF_GetCode(status) == TF_OK ? NULL : failure(ERROR_INTERNAL, "the run failed", TF_Message(status));
  TF_DeleteStatus(status);
  for (int i = 0; error == NULL && i < model->outputs.count; i++) {
    if (TF_NumDims(outputs[i]) == 0 || TF_Dim(outputs[i], 0) != batch->total) {
      error = failure(ERROR_INTERNAL, model->outputs.names[i], "not as many rows as the inputs");
    }
  }
  return error;
}

static int triton_datatype(TF_DataType dtype) {
  for (int i = 1; i < DTYPES; i++) {
    if (dtypes[i] == (int)dtype) return i;
  }
  return 0;
}

/* Puts `rows` of an output, from row `start` on, into a response. */
static TRITONSERVER_Error* put_output(TRITONBACKEND_Response* response, const char* name, const TF_Tensor* tensor,
                                      int64_t start, int64_t rows) {
  int rank = TF_NumDims(tensor);
  if (rank > MAX_RANK) return failure(ERROR_INTERNAL, name, "more dims than this backend carries");
  int64_t dims[MAX_RANK];
  for (int i = 0; i < rank; i++) dims[i] = TF_Dim(tensor, i);
  uint64_t row = TF_TensorByteSize(tensor) / (uint64_t)dims[0];
  dims[0] = rows;
  TRITONBACKEND_Output* output;
  TRY(TRITONBACKEND_ResponseOutput(response, &output, name, triton_datatype(TF_TensorType(tensor)), dims, (uint32_t)rank));
  void* data;
  int memory = MEMORY_CPU;
  int64_t memory_id = 0;
  TRY(TRITONBACKEND_OutputBuffer(output, &data, row * (uint64_t)rows, &memory, &memory_id));
  if (memory != MEMORY_CPU) return failure(ERROR_INTERNAL, name, "no room in the processor's memory");
  memcpy(data, (const uint8_t*)TF_TensorData(tensor) + row * (uint64_t)start, row * (uint64_t)rows);
  return NULL;
}

static void drop(TRITONSERVER_Error* error) {
  if (error != NULL) TRITONSERVER_ErrorDelete(error);
}

/* Answers a request with its rows, or with why its batch failed, and gives it back to Triton. */
static void answer(const SavedModel* model, TRITONBACKEND_Request* request, TF_Tensor* const* outputs, int64_t start,
                   int64_t rows, TRITONSERVER_Error* failed) {
  TRITONBACKEND_Response* response;
  TRITONSERVER_Error* error = TRITONBACKEND_ResponseNew(&response, request);
  if (error == NULL) {
    for (int i = 0; failed == NULL && error == NULL && i < model->outputs.count; i++) {
      error = put_output(response, model->outputs.names[i], outputs[i], start, rows);
    }
    drop(TRITONBACKEND_ResponseSend(response, RESPONSE_FINAL, failed != NULL ? failed : error));
  }
  drop(error);
  drop(TRITONBACKEND_RequestRelease(request, RELEASE_ALL));
}

/* From here on the requests are no longer Triton's, whatever becomes of them: NULL is returned and each is answered. */
TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance* instance,
                                                       TRITONBACKEND_Request** requests, const uint32_t count) {
  TRITONBACKEND_Model* triton_model;
  void* state;
  TRY(TRITONBACKEND_ModelInstanceModel(instance, &triton_model));
  TRY(TRITONBACKEND_ModelState(triton_model, &state));
  const SavedModel* model = state;
  int64_t rows[count];
  memset(rows, 0, sizeof rows);
  Batch batch = {requests, count, rows, 0};
  TF_Tensor *inputs[MAX_TENSORS] = {0}, *outputs[MAX_TENSORS] = {0};

  TRITONSERVER_Error* error = count_rows(model, &batch);
  if (error == NULL) error = run(model, &batch, inputs, outputs);
  int64_t start = 0;
  for (uint32_t i = 0; i < count; i++) {
    answer(model, requests[i], outputs, start, rows[i], error);
    start += rows[i];
  }
  drop(error);
  for (int i = 0; i < MAX_TENSORS; i++) {
    if (inputs[i] != NULL) TF_DeleteTensor(inputs[i]);
    if (outputs[i] != NULL) TF_DeleteTensor(outputs[i]);
  }
  return NULL;
}
