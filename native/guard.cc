// TfjsServingGuard(value: T, others: Tothers) -> value: T
//
// `value` is one input of the guarded operation, which takes it from here;
// `others` are the rest, as it takes them. `position` is the place of `value`
// among all of them. `needs` holds the conditions, 13 numbers each: a term, a
// relation and a term. The numbers of a term are in the order of Term below.
// `says` holds a sentence for each. The first condition that does not hold ends
// the run with INVALID_ARGUMENT and its sentence.

#include "guard.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "buffer.h"
#include "kernel_api.h"
#include "status.h"
#include "tensorflow/c/c_api.h"
#include "tensorflow/c/ops.h"
#include "tensorflow/c/tf_tensor.h"

namespace tfjs_serving {

namespace {

constexpr char kName[] = "TfjsServingGuard";

enum class Kind : int64_t {
  kNumber = 0,
  kRank = 1,
  kDim = 2,
  kCount = 3,
  kLeast = 4,
  kMost = 5,
  kLeastOfRest = 6,
  kValue = 7,
  kBroadcast = 8,
};

enum class Relation : int64_t { kEqual = 0, kAtLeast = 1, kAtMost = 2 };

// Its value is (what it finds + plus) / per, rounded down. kNumber finds 0.
struct Term {
  Kind kind;
  int64_t input;
  // For kBroadcast it is how many inputs count, from that one on. All others
  // look at one input.
  int64_t inputs;
  // For kDim it is the axis, counted from the end if it is negative. For kValue
  // it is the index. For kBroadcast it is how many last dims do not count.
  int64_t at;
  int64_t plus;
  int64_t per;
};

struct Condition {
  Term left;
  Relation relation;
  Term right;
  std::string says;
};

constexpr size_t kNumbersOfTerm = 6;
constexpr size_t kNumbersEach = 2 * kNumbersOfTerm + 1;

struct Guard {
  int64_t position = 0;
  std::vector<Condition> conditions;
};

struct TensorDeleter {
  void operator()(TF_Tensor* tensor) const { TF_DeleteTensor(tensor); }
};
using Input = std::unique_ptr<TF_Tensor, TensorDeleter>;

// ---- What it is made of ------------------------------------------------------

// The number of values in a list. For texts it also has the bytes of all.
struct ListSize {
  size_t count;
  size_t bytes;
};

ListSize SizeOf(TF_OpKernelConstruction* construction, const char* name) {
  int32_t count = 0;
  int32_t bytes = 0;
  const Status status;
  TF_OpKernelConstruction_GetAttrSize(construction, name, &count, &bytes,
                                      status.get());
  status.Check();
  return {static_cast<size_t>(std::max(count, 0)),
          static_cast<size_t>(std::max(bytes, 0))};
}

std::vector<int64_t> ReadIntegers(TF_OpKernelConstruction* construction,
                                  const char* name) {
  std::vector<int64_t> values(SizeOf(construction, name).count);
  if (values.empty()) return values;
  const Status status;
  TF_OpKernelConstruction_GetAttrInt64List(construction, name, values.data(),
                                           static_cast<int>(values.size()),
                                           status.get());
  status.Check();
  return values;
}

std::vector<std::string> ReadTexts(TF_OpKernelConstruction* construction,
                                   const char* name) {
  const ListSize size = SizeOf(construction, name);
  if (size.count == 0) return {};
  std::vector<char*> values(size.count);
  std::vector<size_t> lengths(size.count);
  std::vector<char> storage(size.bytes + 1);
  const Status status;
  TF_OpKernelConstruction_GetAttrStringList(
      construction, name, values.data(), lengths.data(),
      static_cast<int>(values.size()), storage.data(), storage.size(),
      status.get());
  status.Check();
  std::vector<std::string> texts;
  for (size_t i = 0; i < size.count; ++i) {
    texts.emplace_back(values[i], lengths[i]);
  }
  return texts;
}

Term ReadTerm(const int64_t* at) {
  return Term{static_cast<Kind>(at[0]), at[1], at[2], at[3], at[4],
              std::max<int64_t>(at[5], 1)};
}

std::unique_ptr<Guard> ReadGuard(TF_OpKernelConstruction* construction) {
  auto guard = std::make_unique<Guard>();
  const Status status;
  TF_OpKernelConstruction_GetAttrInt64(construction, "position",
                                       &guard->position, status.get());
  status.Check();
  const std::vector<int64_t> needs = ReadIntegers(construction, "needs");
  const std::vector<std::string> says = ReadTexts(construction, "says");
  if (needs.size() != says.size() * kNumbersEach) {
    throw StatusError(TF_INVALID_ARGUMENT,
                      "`needs` must have 13 numbers for each of `says`");
  }
  for (size_t i = 0; i < says.size(); ++i) {
    const int64_t* const at = &needs[i * kNumbersEach];
    guard->conditions.push_back(Condition{
        ReadTerm(at),
        static_cast<Relation>(at[kNumbersOfTerm]),
        ReadTerm(at + kNumbersOfTerm + 1),
        says[i],
    });
  }
  return guard;
}

void* Create(TF_OpKernelConstruction* construction) {
  try {
    return ReadGuard(construction).release();
  } catch (const std::exception&) {
    const StatusError error = CurrentError();
    const Status status;
    TF_SetStatus(status.get(), error.code(), error.what());
    TF_OpKernelConstruction_Failure(construction, status.get());
    return nullptr;
  }
}

void Delete(void* guard) { delete static_cast<Guard*>(guard); }

// ---- What it does at each run ------------------------------------------------

// The least of the values after the first. There is at least one.
template <typename Number>
int64_t LeastOfRest(const TF_Tensor* tensor) {
  const auto* const begin = static_cast<const Number*>(TF_TensorData(tensor));
  const auto* const end = begin + TF_TensorElementCount(tensor);
  return static_cast<int64_t>(*std::min_element(begin + 1, end));
}

// Of whole numbers the one at an index.
std::optional<int64_t> ElementAt(const TF_Tensor* tensor, int64_t index) {
  if (index < 0 || index >= TF_TensorElementCount(tensor)) return std::nullopt;
  const void* const data = TF_TensorData(tensor);
  switch (TF_TensorType(tensor)) {
    case TF_INT32:
      return static_cast<const int32_t*>(data)[index];
    case TF_INT64:
      return static_cast<const int64_t*>(data)[index];
    default:
      return std::nullopt;
  }
}

// How many elements inputs have together, multiplied as TensorFlow does it: from
// the first dim on, even where a later one is 0. Dims that do not fit together
// are TensorFlow's to refuse.
int64_t BroadcastCount(const std::vector<Input>& inputs, size_t first,
                       size_t end, int64_t without) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  const auto dims_of = [&](size_t i) {
    return TF_NumDims(inputs[i].get()) - without;
  };
  int64_t rank = 0;
  for (size_t i = first; i < end; ++i) rank = std::max(rank, dims_of(i));
  int64_t count = 1;
  for (int64_t from_end = rank; from_end > 0; --from_end) {
    int64_t size = 1;
    for (size_t i = first; i < end; ++i) {
      const int64_t axis = dims_of(i) - from_end;
      if (axis < 0) continue;
      const int64_t dim = TF_Dim(inputs[i].get(), static_cast<int>(axis));
      if (dim != 1) size = dim;
    }
    if (size != 0 && count > kMost / size) return kMost;
    count *= size;
  }
  return count;
}

template <typename Number>
int64_t FurthestOf(const TF_Tensor* tensor, bool is_least) {
  const auto* const begin = static_cast<const Number*>(TF_TensorData(tensor));
  const auto* const end = begin + TF_TensorElementCount(tensor);
  return static_cast<int64_t>(is_least ? *std::min_element(begin, end)
                                       : *std::max_element(begin, end));
}

// The least or greatest value, rounded down or up to a whole number. NaN is
// beyond every limit.
template <typename Real>
int64_t FurthestOfReals(const TF_Tensor* tensor, bool is_least) {
  constexpr double kFar = 1LL << 53;
  constexpr int64_t kNotANumber = (1LL << 53) + 1;
  const auto* const begin = static_cast<const Real*>(TF_TensorData(tensor));
  const auto* const end = begin + TF_TensorElementCount(tensor);
  double furthest = is_least ? kFar : -kFar;
  for (const Real* each = begin; each != end; ++each) {
    const auto value = static_cast<double>(*each);
    if (std::isnan(value)) return is_least ? -kNotANumber : kNotANumber;
    furthest = is_least ? std::min(furthest, value) : std::max(furthest, value);
  }
  furthest = is_least ? std::floor(furthest) : std::ceil(furthest);
  return static_cast<int64_t>(std::clamp(furthest, -kFar, kFar));
}

// The least or the greatest number of a tensor; nothing if it is empty.
std::optional<int64_t> FurthestIn(const TF_Tensor* tensor, bool is_least) {
  if (TF_TensorElementCount(tensor) == 0) return std::nullopt;
  switch (TF_TensorType(tensor)) {
    case TF_BOOL:
      return FurthestOf<uint8_t>(tensor, is_least);
    case TF_INT32:
      return FurthestOf<int32_t>(tensor, is_least);
    case TF_INT64:
      return FurthestOf<int64_t>(tensor, is_least);
    case TF_FLOAT:
      return FurthestOfReals<float>(tensor, is_least);
    case TF_DOUBLE:
      return FurthestOfReals<double>(tensor, is_least);
    default:
      return std::nullopt;
  }
}

// What a term finds; nothing where it is not there.
std::optional<int64_t> FoundBy(const Term& term,
                               const std::vector<Input>& inputs) {
  if (term.kind == Kind::kNumber) return 0;
  if (term.input < 0 || static_cast<size_t>(term.input) >= inputs.size()) {
    return std::nullopt;
  }
  const auto first = static_cast<size_t>(term.input);
  const TF_Tensor* const tensor = inputs[first].get();
  const int rank = TF_NumDims(tensor);
  switch (term.kind) {
    case Kind::kRank:
      return rank;
    case Kind::kDim: {
      const int64_t axis = term.at < 0 ? term.at + rank : term.at;
      if (axis < 0 || axis >= rank) return std::nullopt;
      return TF_Dim(tensor, static_cast<int>(axis));
    }
    case Kind::kCount:
      return TF_TensorElementCount(tensor);
    case Kind::kLeastOfRest:
      if (TF_TensorElementCount(tensor) < 2) return std::nullopt;
      if (TF_TensorType(tensor) == TF_INT32) return LeastOfRest<int32_t>(tensor);
      if (TF_TensorType(tensor) == TF_INT64) return LeastOfRest<int64_t>(tensor);
      return std::nullopt;
    case Kind::kValue:
      return ElementAt(tensor, term.at);
    case Kind::kBroadcast:
      return BroadcastCount(
          inputs, first,
          std::min(inputs.size(), first + static_cast<size_t>(term.inputs)),
          term.at);
    default:
      return FurthestIn(tensor, term.kind == Kind::kLeast);
  }
}

std::optional<int64_t> ValueOf(const Term& term,
                               const std::vector<Input>& inputs) {
  const std::optional<int64_t> found = FoundBy(term, inputs);
  if (!found) return found;
  const int64_t sum = *found + term.plus;
  const int64_t quotient = sum / term.per;
  return sum % term.per < 0 ? quotient - 1 : quotient;
}

// A term that does not exist satisfies every condition. Another condition says
// that it must exist.
bool Holds(const Condition& condition, const std::vector<Input>& inputs) {
  const std::optional<int64_t> left = ValueOf(condition.left, inputs);
  const std::optional<int64_t> right = ValueOf(condition.right, inputs);
  if (!left || !right) return true;
  switch (condition.relation) {
    case Relation::kEqual:
      return *left == *right;
    case Relation::kAtLeast:
      return *left >= *right;
    case Relation::kAtMost:
      return *left <= *right;
  }
  return true;
}

std::string Describe(const std::vector<Input>& inputs) {
  std::string shapes;
  for (const Input& input : inputs) {
    if (!shapes.empty()) shapes += " and ";
    shapes += "[";
    for (int axis = 0; axis < TF_NumDims(input.get()); ++axis) {
      if (axis > 0) shapes += ",";
      shapes += std::to_string(TF_Dim(input.get(), axis));
    }
    shapes += "]";
  }
  return shapes;
}

void Check(const Guard& guard, TF_OpKernelContext* context) {
  std::vector<Input> inputs;
  const int count = TF_NumInputs(context);
  for (int i = 0; i < count; ++i) {
    TF_Tensor* tensor = nullptr;
    const Status status;
    TF_GetInput(context, i, &tensor, status.get());
    status.Check();
    inputs.emplace_back(tensor);
  }
  // `value` comes first here. In the operation it stands among the others.
  const auto place = std::clamp<int64_t>(guard.position, 0, count - 1);
  std::rotate(inputs.begin(), inputs.begin() + 1,
              inputs.begin() + 1 + static_cast<std::ptrdiff_t>(place));
  for (const Condition& condition : guard.conditions) {
    if (Holds(condition, inputs)) continue;
    throw StatusError(TF_INVALID_ARGUMENT,
                      condition.says + "; got " + Describe(inputs));
  }
  const Status status;
  TF_SetOutput(context, 0, inputs[static_cast<size_t>(place)].get(),
               status.get());
  status.Check();
}

void Compute(void* guard, TF_OpKernelContext* context) {
  try {
    Check(*static_cast<const Guard*>(guard), context);
  } catch (const std::exception&) {
    const StatusError error = CurrentError();
    const Status status;
    TF_SetStatus(status.get(), error.code(), error.what());
    TF_OpKernelContext_Failure(context, status.get());
  }
}

void InferShape(TF_ShapeInferenceContext* context, TF_Status* status) {
  TF_ShapeHandle* const shape = TF_NewShapeHandle();
  TF_ShapeInferenceContextGetInput(context, 0, shape, status);
  if (TF_GetCode(status) == TF_OK) {
    TF_ShapeInferenceContextSetOutput(context, 0, shape, status);
  }
  TF_DeleteShapeHandle(shape);
}

// ---- How TensorFlow learns of it ---------------------------------------------

// Another copy of this addon in the process may have registered it.
bool IsRegistered() {
  const Status status;
  const Buffer kernels(TF_GetRegisteredKernelsForOp(kName, status.get()));
  return status.ok() && kernels && kernels->length > 0;
}

bool Register() {
  if (IsRegistered()) return true;
  TF_OpDefinitionBuilder* const definition = TF_NewOpDefinitionBuilder(kName);
  TF_OpDefinitionBuilderAddAttr(definition, "T: type");
  TF_OpDefinitionBuilderAddAttr(definition, "Tothers: list(type) >= 0");
  TF_OpDefinitionBuilderAddAttr(definition, "position: int");
  TF_OpDefinitionBuilderAddAttr(definition, "needs: list(int)");
  TF_OpDefinitionBuilderAddAttr(definition, "says: list(string)");
  TF_OpDefinitionBuilderAddInput(definition, "value: T");
  TF_OpDefinitionBuilderAddInput(definition, "others: Tothers");
  TF_OpDefinitionBuilderAddOutput(definition, "guarded: T");
  TF_OpDefinitionBuilderSetShapeInferenceFunction(definition, InferShape);
  const Status definition_status;
  TF_RegisterOpDefinition(definition, definition_status.get());
  definition_status.Check();
  const Status kernel_status;
  TF_RegisterKernelBuilder(
      kName, TF_NewKernelBuilder(kName, "CPU", Create, Compute, Delete),
      kernel_status.get());
  kernel_status.Check();
  return true;
}

}  // namespace

void RegisterGuard() {
  // If Register() throws, the next call tries again.
  static const bool registered = Register();
  static_cast<void>(registered);
}

}  // namespace tfjs_serving
