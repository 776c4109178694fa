# <identifier>/<birth>/<name>
terraform import managedk8s_worker_pool.default alpha/0123456789abcdef0123456789abcdef/default
