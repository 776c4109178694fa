//! Client of the OpenIaaS HTTP API: requests as values, one sender, activities.
