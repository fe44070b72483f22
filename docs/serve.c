/* Asks an exported model from C, by nothing but TensorFlow's C API.
 *
 *   serve EXPORT INPUT=VALUE ... -- OUTPUT=FILE ...
 *
 * INPUT and OUTPUT are names of tensors, such as sample_seed:0, of one or more signatures, as
 * `saved_model_cli show --dir=EXPORT --all` tells them. A VALUE is numbers with commas between, or
 * @FILE, a file of raw numbers in C order: float, int32_t, or one byte for a bool. A first axis of
 * any size follows from how many there are. Outputs are printed, and written as raw floats.
 * docs/serving.md has an example.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tensorflow/c/c_api.h>

enum { MAX_TENSORS = 32, MAX_DIMS = 8 };

static void fail(const char *reason, const char *subject) {
  fprintf(stderr, "error: %s: %s\n", subject, reason);
  exit(1);
}

static void check(const TF_Status *status, const char *subject) {
  if (TF_GetCode(status) != TF_OK) fail(TF_Message(status), subject);
}

/* Splits NAME=VALUE, and returns the value. */
static char *split(char *argument) {
  char *equals = strchr(argument, '=');
  if (!equals) fail("must be NAME=VALUE", argument);
  *equals = '\0';
  return equals + 1;
}

/* The tensor called OPERATION:INDEX. */
static TF_Output find(TF_Graph *graph, const char *name) {
  char operation[256];
  TF_Output found = {NULL, 0};
  if (sscanf(name, "%255[^:]:%d", operation, &found.index) == 2)
    found.oper = TF_GraphOperationByName(graph, operation);
  if (!found.oper || found.index < 0 || found.index >= TF_OperationNumOutputs(found.oper))
    fail("there is no such tensor", name);
  return found;
}

/* The bytes of a file; the caller frees them. */
static char *read_file(const char *path, size_t *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail("cannot be read", path);
  *size = ftell(file);
  rewind(file);
  char *bytes = malloc(*size + 1);
  if (!bytes || fread(bytes, 1, *size, file) != *size) fail("cannot be read", path);
  fclose(file);
  return bytes;
}

/* The bytes of numbers with commas between; the caller frees them. */
static char *parse(const char *text, TF_DataType type, size_t *size) {
  char *bytes = malloc(strlen(text) * 4 + 4), *end;
  for (*size = 0;; text = end + 1) {
    double number = strtod(text, &end);
    float real = number;
    int32_t whole = number;
    char bit = number != 0;
    const void *value = type == TF_FLOAT ? (void *)&real : type == TF_BOOL ? (void *)&bit : &whole;
    if (end == text || (*end && *end != ',')) fail("is not a list of numbers", text);
    memcpy(bytes + *size, value, TF_DataTypeSize(type));
    *size += TF_DataTypeSize(type);
    if (!*end) return bytes;
  }
}

/* A tensor of the type and the shape that an input of the graph wants. */
static TF_Tensor *make(TF_Graph *graph, TF_Output input, const char *name, const char *value) {
  TF_DataType type = TF_OperationOutputType(input);
  TF_Status *status = TF_NewStatus();
  int64_t dims[MAX_DIMS];
  int num_dims = TF_GraphGetTensorNumDims(graph, input, status);
  if (num_dims < 0 || num_dims > MAX_DIMS) fail("has no shape that can be filled", name);
  if (type != TF_FLOAT && type != TF_INT32 && type != TF_BOOL) fail("has another type", name);
  TF_GraphGetTensorShape(graph, input, dims, num_dims, status);
  check(status, name);
  TF_DeleteStatus(status);

  size_t size, row = TF_DataTypeSize(type);
  char *bytes = *value == '@' ? read_file(value + 1, &size) : parse(value, type, &size);
  int batched = num_dims > 0 && dims[0] < 0;
  for (int i = batched; i < num_dims; i++) row *= dims[i];
  if (batched ? size % row : size != row) fail("has another size", name);
  if (batched) dims[0] = size / row;
  TF_Tensor *tensor = TF_AllocateTensor(type, dims, num_dims, size);
  memcpy(TF_TensorData(tensor), bytes, size);
  free(bytes);
  return tensor;
}

/* Prints the shape and the first values, and writes all of them. */
static void tell(const TF_Tensor *tensor, const char *name, const char *path) {
  int is_bool = TF_TensorType(tensor) == TF_BOOL; /* such as finite */
  if (!is_bool && TF_TensorType(tensor) != TF_FLOAT) fail("is not of floats", name);
  printf("%s [", name);
  for (int i = 0; i < TF_NumDims(tensor); i++)
    printf(i ? ", %lld" : "%lld", (long long)TF_Dim(tensor, i));
  const void *values = TF_TensorData(tensor);
  int64_t num_values = TF_TensorElementCount(tensor);
  printf("]:");
  for (int i = 0; i < 6 && i < num_values; i++)
    printf(" %g", is_bool ? ((const char *)values)[i] : ((const float *)values)[i]);
  printf(num_values > 6 ? " ...\n" : "\n");
  FILE *file = fopen(path, "wb");
  size_t size = TF_TensorByteSize(tensor);
  if (!file || fwrite(values, 1, size, file) != size || fclose(file))
    fail("cannot be written", path);
}

int main(int argc, char **argv) {
  if (argc < 4) fail("EXPORT INPUT=VALUE ... -- OUTPUT=FILE ...", argv[0]);
  TF_Status *status = TF_NewStatus();
  TF_Graph *graph = TF_NewGraph();
  TF_SessionOptions *options = TF_NewSessionOptions();
  const char *tags[] = {"serve"};
  TF_Session *session =
      TF_LoadSessionFromSavedModel(options, NULL, argv[1], tags, 1, graph, NULL, status);
  check(status, argv[1]);

  TF_Output inputs[MAX_TENSORS], outputs[MAX_TENSORS];
  TF_Tensor *given[MAX_TENSORS], *answers[MAX_TENSORS] = {NULL};
  char *names[MAX_TENSORS], *paths[MAX_TENSORS];
  int num_inputs = 0, num_outputs = 0, i = 2;
  if (argc > MAX_TENSORS) fail("takes fewer arguments", argv[0]);
  for (; i < argc && strcmp(argv[i], "--"); i++, num_inputs++) {
    char *value = split(argv[i]);
    inputs[num_inputs] = find(graph, argv[i]);
    given[num_inputs] = make(graph, inputs[num_inputs], argv[i], value);
  }
  for (i++; i < argc; i++, num_outputs++) {
    paths[num_outputs] = split(argv[i]);
    names[num_outputs] = argv[i];
    outputs[num_outputs] = find(graph, argv[i]);
  }

  /* A server would do this for every request; many threads may share a session. */
  TF_SessionRun(session, NULL, inputs, given, num_inputs, outputs, answers, num_outputs, NULL, 0,
                NULL, status);
  check(status, "the request");
  for (i = 0; i < num_outputs; i++) tell(answers[i], names[i], paths[i]);

  for (i = 0; i < num_outputs; i++) TF_DeleteTensor(answers[i]);
  for (i = 0; i < num_inputs; i++) TF_DeleteTensor(given[i]);
  TF_CloseSession(session, status);
  check(status, argv[1]);
  TF_DeleteSession(session, status);
  check(status, argv[1]);
  TF_DeleteSessionOptions(options);
  TF_DeleteGraph(graph);
  TF_DeleteStatus(status);
  return 0;
}
