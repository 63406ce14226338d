#include "retrieval/index/graph.h"

#include <cmath>
#include <random>

#include "gtest/gtest.h"
#include "retrieval/index/exact_search.h"
#include "retrieval/index/graph_file.h"
#include "tests/unit/retrieval/temp_dir.h"

namespace memory3 {
namespace {

constexpr int kDimensions = 48, kCount = 3000, kClusters = 100;

std::vector<float> UnitVector(std::mt19937& random, const std::vector<float>& around,
                              float spread) {
  std::normal_distribution<float> normal;
  std::vector<float> vector = around;
  float squares = 0;
  for (float& x : vector) {
    x += spread * normal(random);
    squares += x * x;
  }
  for (float& x : vector) x /= std::sqrt(squares);
  return vector;
}

// Vectors in clusters, as texts about some subjects would be.
std::vector<std::vector<float>> ClusteredVectors(int count, uint32_t seed) {
  std::mt19937 centers(1);
  std::vector<std::vector<float>> subjects;
  for (int i = 0; i < kClusters; ++i) {
    subjects.push_back(UnitVector(centers, std::vector<float>(kDimensions), 1));
  }
  std::mt19937 random(seed);
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < count; ++i) {
    vectors.push_back(UnitVector(random, subjects[random() % kClusters], 0.1f));
  }
  return vectors;
}

class GraphTest : public ::testing::Test {
 protected:
  void SetUp() override { Build(dir_.path()); }

  static void Build(const std::filesystem::path& dir) {
    const std::vector<std::vector<float>> vectors = ClusteredVectors(kCount, 7);
    auto writer = VectorsWriter::Create(dir / "vectors", kCount, kDimensions);
    auto graph = Graph::Create({}, kDimensions, kCount);
    ASSERT_TRUE(writer.ok() && graph.ok());
    for (const std::vector<float>& vector : vectors) {
      ASSERT_TRUE(writer->Append(vector).ok());
      ASSERT_TRUE((*graph)->Add(vector).ok());
    }
    EXPECT_FALSE((*graph)->Add(vectors[0]).ok()) << "more than there is room for";
    const auto checksum = writer->Finish();
    ASSERT_TRUE(checksum.ok());
    ASSERT_TRUE((*graph)->Save(dir / "graph", *checksum).ok());
  }

  absl::StatusOr<std::unique_ptr<Graph>> Load() const {
    auto vectors = VectorsReader::Open(dir_.path() / "vectors");
    if (!vectors.ok()) return vectors.status();
    return Graph::Load(dir_.path() / "graph", *vectors, /*search_candidates=*/64);
  }

  // Writes the graph again, with a right checksum, after `change` has been at its bytes.
  template <typename Change>
  absl::Status LoadChanged(Change change) {
    const std::string good = ReadBytes(dir_.path() / "graph");
    std::string payload = good.substr(kCheckedHeaderBytes);
    change(payload);
    auto writer = CheckedFileWriter::Create(dir_.path() / "graph", good.substr(0, kMagicBytes));
    EXPECT_TRUE(writer->Append(payload).ok() && writer->Finish().ok());
    const absl::Status status = Load().status();
    WriteBytes(dir_.path() / "graph", good);
    return status;
  }

  const TempDir dir_;
};

TEST_F(GraphTest, FindsWhatExactSearchFinds) {
  const auto graph = Load();
  ASSERT_TRUE(graph.ok()) << graph.status();
  int found = 0, wanted = 0;
  for (const std::vector<float>& query : ClusteredVectors(200, 8)) {
    const auto near = (*graph)->Search(query, 5);
    ASSERT_TRUE(near.ok());
    ASSERT_EQ(near->size(), 5u);
    const std::vector<ScoredId> exact = SearchEvery((*graph)->vectors(), query, 5);
    for (const ScoredId& scored : exact) {
      ++wanted;
      for (const ScoredId& other : *near) found += scored == other ? 1 : 0;
    }
  }
  EXPECT_GE(found, wanted * 98 / 100);
}

TEST_F(GraphTest, BuiltTwiceIsTheSameBytes) {
  const TempDir other;
  Build(other.path());
  EXPECT_EQ(ReadBytes(dir_.path() / "graph"), ReadBytes(other.path() / "graph"));
  EXPECT_EQ(ReadBytes(dir_.path() / "vectors"), ReadBytes(other.path() / "vectors"));
}

TEST_F(GraphTest, RefusesDamagedFiles) {
  std::mt19937 random(3);
  for (const char* name : {"graph", "vectors"}) {
    const std::string good = ReadBytes(dir_.path() / name);
    for (int i = 0; i < 60; ++i) {
      std::string bad = good;
      const size_t at = i < 48 ? static_cast<size_t>(i) : random() % good.size();
      bad[at] = static_cast<char>(bad[at] ^ (1 << (random() % 8)));
      WriteBytes(dir_.path() / name, bad);
      EXPECT_TRUE(absl::IsDataLoss(Load().status()) || absl::IsFailedPrecondition(Load().status()))
          << name << " " << at;
      WriteBytes(dir_.path() / name, good.substr(0, at));
      EXPECT_FALSE(Load().ok()) << name << " " << at;
    }
    WriteBytes(dir_.path() / name, good);
  }
  EXPECT_TRUE(Load().ok());
}

// Files as someone would write them who knows the checksum.
TEST_F(GraphTest, RefusesCraftedGraphs) {
  const auto set = [](size_t at, uint32_t value) {
    return [at, value](std::string& payload) {
      payload.replace(at, sizeof(value), reinterpret_cast<const char*>(&value), sizeof(value));
    };
  };
  constexpr size_t kFields = 24, kFirstList = kFields + kCount;
  EXPECT_TRUE(LoadChanged([](std::string&) {}).ok());
  for (const uint32_t value : {0u, 1u, 65536u, 0x80000000u, 0xFFFFFFFFu}) {
    for (const size_t field : {0, 4, 12, 16, 20}) {
      if (value <= 1 && field == 12) continue;  // an entry node like any other, if a low one
      EXPECT_FALSE(LoadChanged(set(field, value)).ok()) << field << " " << value;
    }
    EXPECT_FALSE(LoadChanged(set(kFirstList, value | 0xFFFF)).ok());
  }
  EXPECT_FALSE(LoadChanged(set(kFirstList + 2, kCount)).ok());
  EXPECT_FALSE(LoadChanged(set(kFirstList + 2, 0xFFFFFFFF)).ok());
  EXPECT_FALSE(LoadChanged([](std::string& payload) { payload[kFields] = 41; }).ok());
  EXPECT_FALSE(LoadChanged([](std::string& payload) { payload[kFields] = '\xFF'; }).ok());
  EXPECT_FALSE(LoadChanged([](std::string& payload) { payload.pop_back(); }).ok());
  EXPECT_FALSE(LoadChanged([](std::string& payload) { payload.push_back(0); }).ok());
  EXPECT_FALSE(LoadChanged([](std::string& payload) { payload.resize(10); }).ok());
  EXPECT_FALSE(LoadChanged([](std::string& payload) { payload.clear(); }).ok());
}

// Whatever loads can be searched, also when its links are nonsense.
TEST_F(GraphTest, RandomChangesNeverCrash) {
  const uint32_t seed = std::random_device()();
  SCOPED_TRACE(seed);
  std::mt19937 random(seed);
  const std::vector<float> query = ClusteredVectors(1, 9)[0];
  const std::string good = ReadBytes(dir_.path() / "graph");
  for (int i = 0; i < 100; ++i) {
    std::string payload = good.substr(kCheckedHeaderBytes);
    for (int change = 0; change < 3; ++change) {
      payload[random() % payload.size()] = static_cast<char>(random());
    }
    auto writer = CheckedFileWriter::Create(dir_.path() / "graph", good.substr(0, kMagicBytes));
    ASSERT_TRUE(writer->Append(payload).ok() && writer->Finish().ok());
    const auto graph = Load();
    if (graph.ok()) {
      EXPECT_TRUE((*graph)->Search(query, 5).ok());
    }
  }
}

TEST_F(GraphTest, RefusesVectorsThatAreNotItsOwn) {
  auto writer = VectorsWriter::Create(dir_.path() / "vectors", 1, kDimensions);
  ASSERT_TRUE(writer->Append(ClusteredVectors(1, 5)[0]).ok() && writer->Finish().ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(Load().status()));
}

TEST_F(GraphTest, RefusesVectorsWithoutLengthOne) {
  for (const float x : {0.5f, 2.0f, std::nanf(""), INFINITY}) {
    std::vector<float> vector(kDimensions);
    vector[3] = x;
    auto writer = VectorsWriter::Create(dir_.path() / "vectors", 1, kDimensions);
    ASSERT_TRUE(writer->Append(vector).ok() && writer->Finish().ok());
    auto reader = VectorsReader::Open(dir_.path() / "vectors");
    ASSERT_TRUE(reader.ok());
    EXPECT_TRUE(absl::IsDataLoss(reader->ReadAll([&](int64_t) { return vector.data(); }))) << x;
  }
}

TEST(GraphParametersTest, AreChecked) {
  EXPECT_FALSE(Graph::Create({.links = 1}, 8, 8).ok());
  EXPECT_FALSE(Graph::Create({.links = 257}, 8, 8).ok());
  EXPECT_FALSE(Graph::Create({.build_candidates = 0}, 8, 8).ok());
}

TEST(BestIdsTest, KeepsTheBestAndTheLowerOfEquals) {
  BestIds best(3);
  for (const ScoredId scored :
       {ScoredId{5, 0.5f}, ScoredId{4, 0.9f}, ScoredId{3, 0.5f}, ScoredId{2, 0.5f}}) {
    best.Add(scored);
  }
  EXPECT_EQ(best.Take(), (std::vector<ScoredId>{{4, 0.9f}, {2, 0.5f}, {3, 0.5f}}));
}

}  // namespace
}  // namespace memory3
