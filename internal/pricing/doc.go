// Package pricing says what traffic would have cost on AWS: prices by region, their tiers, the free tier, and money as
// exact decimal arithmetic (spec pricing). It holds values and does no counting; that is package meter's. Data transfer and
// what functions cost come on top on AWS and are not in it.
package pricing
