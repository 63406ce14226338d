// The services that a server's reflection names.
#ifndef MEMORY3_TESTS_INTEGRATION_LIST_SERVICES_H_
#define MEMORY3_TESTS_INTEGRATION_LIST_SERVICES_H_

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

namespace memory3 {

// The bytes of a reflection answer, taken without its generated classes, which are not installed
// everywhere: the names stand in it as they are. Empty when there is none.
std::string ListServices(const std::shared_ptr<grpc::Channel>& channel);

}  // namespace memory3

#endif  // MEMORY3_TESTS_INTEGRATION_LIST_SERVICES_H_
