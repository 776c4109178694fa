# <identifier>/<birth>, as the message names it that refuses to create the cluster a second time.
terraform import managedk8s_cluster.prod alpha/0123456789abcdef0123456789abcdef
