# <identifier>/<birth>/<namespace>/<name>
terraform import managedk8s_addon.metallb alpha/0123456789abcdef0123456789abcdef/metallb-system/metallb
