#include "retrieval/index/graph.h"

// The only unit that includes hnswlib: its headers define functions. Without its own vector code:
// ours is chosen at run time and has the same bits everywhere, and its prefetches read past lists.
#define NO_MANUAL_VECTORIZATION
#include <hnswlib/hnswlib.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/base/check.h"
#include "engine/base/status_macros.h"
#include "retrieval/index/graph_file.h"
#include "retrieval/index/inner_product.h"

namespace memory3 {
namespace {

using Hnsw = hnswlib::HierarchicalNSW<float>;

struct ProductParameters {
  InnerProductFn inner_product;
  int dimensions;
};

// hnswlib wants less for nearer.
float NegativeProduct(const void* a, const void* b, const void* parameters) {
  const auto* product = static_cast<const ProductParameters*>(parameters);
  return -product->inner_product(static_cast<const float*>(a), static_cast<const float*>(b),
                                 product->dimensions);
}

class ProductSpace : public hnswlib::SpaceInterface<float> {
 public:
  explicit ProductSpace(int dimensions) : parameters_{BestInnerProduct(), dimensions} {}
  size_t get_data_size() override { return parameters_.dimensions * sizeof(float); }
  hnswlib::DISTFUNC<float> get_dist_func() override { return NegativeProduct; }
  void* get_dist_func_param() override { return &parameters_; }

 private:
  ProductParameters parameters_;
};

// A search jumps about in gigabytes: with small pages most jumps miss the address cache as well.
void AdviseHugePages(char* memory, size_t bytes) {
  constexpr uintptr_t kPage = uintptr_t{2} << 20;
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(memory) + kPage - 1) / kPage * kPage;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(memory) + bytes) / kPage * kPage;
  if (begin < end) madvise(reinterpret_cast<void*>(begin), end - begin, MADV_HUGEPAGE);
}

absl::Status Failed(const std::exception& error) {
  return absl::ResourceExhaustedError(absl::StrCat("the search graph: ", error.what()));
}

}  // namespace

class Graph::Impl {
 public:
  Impl(const GraphParameters& parameters, int dimensions, int64_t capacity)
      : space_(dimensions),
        dimensions_(dimensions),
        hnsw_(&space_, static_cast<size_t>(capacity), static_cast<size_t>(parameters.links),
              static_cast<size_t>(parameters.build_candidates), parameters.seed) {
    AdviseHugePages(hnsw_.data_level0_memory_, hnsw_.max_elements_ * hnsw_.size_data_per_element_);
  }

  Hnsw& hnsw() { return hnsw_; }
  const Hnsw& hnsw() const { return hnsw_; }

  // Nodes without links, so that the destructor finds them whole whatever happens next.
  void MakeNodes(size_t count) {
    hnsw_.cur_element_count = count;
    for (hnswlib::tableint i = 0; i < count; ++i) {
      std::memset(hnsw_.get_linklist0(i), 0, hnsw_.size_links_level0_);
      hnsw_.setExternalLabel(i, i);
    }
  }

  void SetLevel(hnswlib::tableint node, int level) {
    if (level == 0) return;
    const size_t bytes = hnsw_.size_links_per_element_ * static_cast<size_t>(level);
    hnsw_.linkLists_[node] = static_cast<char*>(std::calloc(1, bytes));
    if (hnsw_.linkLists_[node] == nullptr) throw std::bad_alloc();
    hnsw_.element_levels_[node] = level;
  }

  absl::Span<const uint32_t> Links(hnswlib::tableint node, int level) const {
    hnswlib::linklistsizeint* list = hnsw_.get_linklist_at_level(node, level);
    return {list + 1, hnsw_.getListCount(list)};
  }

  void SetLinks(hnswlib::tableint node, int level, absl::Span<const uint32_t> links) {
    hnswlib::linklistsizeint* list = hnsw_.get_linklist_at_level(node, level);
    hnsw_.setListCount(list, static_cast<unsigned short>(links.size()));
    std::copy(links.begin(), links.end(), list + 1);
  }

  void SetEntry(hnswlib::tableint node) {
    hnsw_.enterpoint_node_ = node;
    hnsw_.maxlevel_ = hnsw_.element_levels_[node];
  }

  float* vector(int64_t i) {
    return reinterpret_cast<float*>(hnsw_.getDataByInternalId(static_cast<hnswlib::tableint>(i)));
  }

  VectorTable vectors() const {
    return {hnsw_.data_level0_memory_ + hnsw_.offsetData_, hnsw_.size_data_per_element_,
            static_cast<int64_t>(hnsw_.cur_element_count), dimensions_};
  }

 private:
  ProductSpace space_;
  const int dimensions_;
  Hnsw hnsw_;
};

Graph::Graph(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Graph::~Graph() = default;
VectorTable Graph::vectors() const { return impl_->vectors(); }

void Graph::set_search_candidates(int candidates) {
  M3_CHECK(candidates > 0);
  impl_->hnsw().setEf(static_cast<size_t>(candidates));
}

absl::StatusOr<std::unique_ptr<Graph>> Graph::Create(const GraphParameters& parameters,
                                                     int dimensions, int64_t capacity) {
  M3_RETURN_IF_ERROR(CheckParameters(parameters));
  M3_CHECK(dimensions > 0 && capacity > 0);
  try {
    return std::unique_ptr<Graph>(
        new Graph(std::make_unique<Impl>(parameters, dimensions, capacity)));
  } catch (const std::exception& error) {
    return Failed(error);
  }
}

absl::Status Graph::Add(absl::Span<const float> vector) {
  Hnsw& hnsw = impl_->hnsw();
  try {
    hnsw.addPoint(vector.data(), hnsw.cur_element_count);
  } catch (const std::exception& error) {
    return Failed(error);
  }
  return absl::OkStatus();
}

absl::Status Graph::Save(const std::filesystem::path& file, uint64_t vectors_checksum) const {
  const Hnsw& hnsw = impl_->hnsw();
  GraphHeader header;
  header.count = static_cast<uint32_t>(hnsw.cur_element_count);
  header.links = static_cast<uint32_t>(hnsw.M_);
  header.build_candidates = static_cast<uint32_t>(hnsw.ef_construction_);
  header.entry = hnsw.enterpoint_node_;
  header.vectors_checksum = vectors_checksum;
  M3_ASSIGN_OR_RETURN(GraphWriter writer, GraphWriter::Create(file, header));
  for (uint32_t node = 0; node < header.count; ++node) {
    M3_RETURN_IF_ERROR(writer.AppendLevel(hnsw.element_levels_[node]));
  }
  for (uint32_t node = 0; node < header.count; ++node) {
    for (int level = 0; level <= hnsw.element_levels_[node]; ++level) {
      M3_RETURN_IF_ERROR(writer.AppendLinks(impl_->Links(node, level)));
    }
  }
  return writer.Finish();
}

absl::StatusOr<std::unique_ptr<Graph>> Graph::Load(const std::filesystem::path& file,
                                                   VectorsReader& vectors, int search_candidates) {
  M3_ASSIGN_OR_RETURN(const GraphFile contents, GraphFile::Read(file));
  const GraphHeader& header = contents.header();
  if (header.vectors_checksum != vectors.checksum() || header.count != vectors.count()) {
    return absl::FailedPreconditionError(
        absl::StrCat(file.string(), ": is not the graph of the vectors beside it"));
  }
  const GraphParameters parameters = {
      .links = static_cast<int>(header.links),
      .build_candidates = static_cast<int>(header.build_candidates)};
  M3_ASSIGN_OR_RETURN(std::unique_ptr<Graph> graph,
                      Create(parameters, vectors.dimensions(), header.count));
  Impl& impl = *graph->impl_;
  try {
    impl.MakeNodes(header.count);
    for (uint32_t node = 0; node < header.count; ++node) {
      impl.SetLevel(node, contents.LevelOf(node));
    }
  } catch (const std::exception& error) {
    return Failed(error);
  }
  contents.ForEachList([&impl](uint32_t node, int level, absl::Span<const uint32_t> links) {
    impl.SetLinks(node, level, links);
  });
  impl.SetEntry(header.entry);
  M3_RETURN_IF_ERROR(vectors.ReadAll([&impl](int64_t i) { return impl.vector(i); }));
  graph->set_search_candidates(search_candidates);
  return graph;
}

absl::StatusOr<std::vector<ScoredId>> Graph::Search(absl::Span<const float> query, int k) const {
  std::vector<ScoredId> found;
  try {
    auto queue = impl_->hnsw().searchKnn(query.data(), static_cast<size_t>(k));
    found.reserve(queue.size());
    for (; !queue.empty(); queue.pop()) found.push_back({queue.top().second, -queue.top().first});
  } catch (const std::exception& error) {
    return Failed(error);
  }
  std::sort(found.begin(), found.end(), Better);
  return found;
}

}  // namespace memory3
