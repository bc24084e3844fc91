#compdef psgraph-build psfeat pswalk psneigh pstrain psembed psknn pseval psview
# Options come from the tool's own --help.
_gnu_generic
